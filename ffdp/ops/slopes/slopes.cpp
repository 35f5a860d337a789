// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/slopes/slopes.hpp"

#include "ffdp/ops/common/checks.hpp"
#include "ffdp/ops/common/dispatch.hpp"
#include "ffdp/ops/slopes/backends.hpp"

namespace ffdp::slopes {

void backward(Context& ctx, Box domain, Box compute, float scale, View<const float> warped,
              View<const float> grad_warped, VectorView<float> grad_s, Into into) {
  require_boxes("slopes", domain, compute);
  require_stored("slopes", "warped", warped, intersect(grow(compute, halo), domain));
  require_stored("slopes", "grad_warped", grad_warped, compute);
  require_stored("slopes", "grad_s", grad_s, compute);
  dispatch(ctx, [&]<Backend B>() {
    On<B>::backward(ctx, domain, compute, scale, warped, grad_warped, grad_s, into);
  });
}

}  // namespace ffdp::slopes
