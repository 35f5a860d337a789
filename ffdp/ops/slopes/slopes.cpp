// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/slopes/slopes.hpp"

#include "ffdp/ops/common/checks.hpp"
#include "ffdp/ops/common/dispatch.hpp"
#include "ffdp/ops/slopes/backends.hpp"

namespace ffdp::slopes {

void backward(Context& ctx, Box domain, Box compute, View<const float> warped,
              View<const float> grad_warped, const ScaledGradient& to) {
  require_boxes("slopes", domain, compute);
  require_stored("slopes", "warped", warped, intersect(grow(compute, halo), domain));
  require_stored("slopes", "grad_warped", grad_warped, compute);
  require_stored("slopes", "grad_s", to.grad, compute);
  dispatch(ctx,
           [&]<Backend B>() { On<B>::backward(ctx, domain, compute, warped, grad_warped, to); });
}

}  // namespace ffdp::slopes
