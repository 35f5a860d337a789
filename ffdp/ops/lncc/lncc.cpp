// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/lncc/lncc.hpp"

#include "ffdp/ops/common/checks.hpp"
#include "ffdp/ops/common/dispatch.hpp"
#include "ffdp/ops/lncc/backends.hpp"

namespace ffdp::lncc {

MetricSum forward_backward(Context& ctx, const Params& p, Box domain, Box compute,
                           const Images<float>& images, View<float> grad) {
  return forward_backward(ctx, p, domain, compute, images, grad, VectorView<float>{});
}

MetricSum forward_backward(Context& ctx, const Params& p, Box domain, Box compute,
                           const Images<float>& images, View<float> grad,
                           VectorView<float> workspace) {
  return metric_sum(ctx, [&](MetricSum* sum) {
    forward_backward(ctx, p, domain, compute, images, grad, workspace, sum);
  });
}

void forward_backward(Context& ctx, const Params& p, Box domain, Box compute,
                      const Images<float>& images, View<float> grad, VectorView<float> workspace,
                      MetricSum* sum) {
  require_boxes("lncc", domain, compute);
  if (p.window == Window::gaussian)
    require(p.sigma > 0 && p.sigma <= 16, "lncc: sigma is " + std::to_string(p.sigma) +
                                              " voxels, must be above 0 and at most 16");
  else
    require(p.radius >= 1 && p.radius <= 32,
            "lncc: radius is " + std::to_string(p.radius) + " voxels, must be within 1 and 32");
  require(p.fixed_floor >= 0 && p.moving_floor >= 0, "lncc: a variance floor is negative");
  require(!(p.missing_values && p.window == Window::zero_padded_box),
          "lncc: zero_padded_box does not take missing values");
  const Box needed = intersect(grow(compute, grad ? halo(p) : reach(p)), domain);
  require_stored("lncc", images, needed);
  if (grad) require_stored("lncc", "grad", grad, compute);
  const Box windows = intersect(grow(compute, reach(p)), domain);
  require(!workspace || workspace.stored.volume() >= windows.volume(),
          "lncc: workspace is stored over " + to_string(workspace.stored) +
              ", needs as many voxels as " + to_string(windows));
  require(sum != nullptr, "lncc: sum is absent");
  dispatch(ctx, [&]<Backend B>() {
    On<B>::forward_backward(ctx, p, domain, compute, images, grad, workspace, sum);
  });
}

}  // namespace ffdp::lncc
