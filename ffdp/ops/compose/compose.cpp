// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/compose/compose.hpp"

#include "ffdp/ops/common/checks.hpp"
#include "ffdp/ops/common/dispatch.hpp"
#include "ffdp/ops/compose/backends.hpp"

namespace ffdp::compose {

void forward(Context& ctx, const Params& p, Box domain, Box compute, VectorView<const float> step,
             VectorView<const float> displacement, VectorView<float> out) {
  require_boxes("compose", domain, compute);
  require(std::isfinite(p.scale), "compose: scale is not finite");
  require(
      p.max_step >= 0 && p.max_step < 1e6,
      "compose: max_step is " + std::to_string(p.max_step) + " voxels, must be within 0 and 1e6");
  require_stored("compose", "step", step, compute);
  require_stored("compose", "displacement", displacement,
                 intersect(grow(compute, halo(p)), domain));
  require_stored("compose", "out", out, compute);
  require(out.data != displacement.data,
          "compose: out is the memory of displacement, must not overlap it");
  dispatch(ctx,
           [&]<Backend B>() { On<B>::forward(ctx, p, domain, compute, step, displacement, out); });
}

}  // namespace ffdp::compose
