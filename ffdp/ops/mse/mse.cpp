// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/mse/mse.hpp"

#include "ffdp/ops/common/checks.hpp"
#include "ffdp/ops/common/dispatch.hpp"
#include "ffdp/ops/mse/backends.hpp"

namespace ffdp::mse {

MetricSum forward_backward(Context& ctx, const Params& p, Box domain, Box compute,
                           const Images<float>& images, View<float> grad) {
  return metric_sum(
      ctx, [&](MetricSum* sum) { forward_backward(ctx, p, domain, compute, images, grad, sum); });
}

void forward_backward(Context& ctx, const Params& p, Box domain, Box compute,
                      const Images<float>& images, View<float> grad, MetricSum* sum) {
  require_boxes("mse", domain, compute);
  require_stored("mse", images, compute);
  if (grad) require_stored("mse", "grad", grad, compute);
  require(sum != nullptr, "mse: sum is absent");
  dispatch(ctx, [&]<Backend B>() {
    On<B>::forward_backward(ctx, p, domain, compute, images, grad, sum);
  });
}

}  // namespace ffdp::mse
