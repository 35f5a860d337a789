// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/invert/invert.hpp"

#include "ffdp/ops/common/checks.hpp"
#include "ffdp/ops/common/dispatch.hpp"
#include "ffdp/ops/invert/backends.hpp"

namespace ffdp::invert {

PlaneSums<Residual> forward(Context& ctx, const Params& p, Box domain, Box compute,
                            VectorView<const float> displacement, VectorView<float> inverse) {
  require_boxes("invert", domain, compute);
  require(p.tolerance > 0,
          "invert: tolerance is " + std::to_string(p.tolerance) + " voxels, must be above 0");
  require(p.max_iterations >= 1,
          "invert: max_iterations is " + std::to_string(p.max_iterations) + ", must be at least 1");
  require(p.reach >= 0 && p.reach < 1e6,
          "invert: reach is " + std::to_string(p.reach) + " voxels, must be within 0 and 1e6");
  require_stored("invert", "displacement", displacement, intersect(grow(compute, halo(p)), domain));
  require_stored("invert", "inverse", inverse, compute);
  return dispatch(ctx, [&]<Backend B>() {
    return On<B>::forward(ctx, p, domain, compute, displacement, inverse);
  });
}

}  // namespace ffdp::invert
