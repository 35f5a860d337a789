// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/common/exact_sum.hpp"
#include "ffdp/ops/common/voxels.cuh"
#include "ffdp/ops/mse/backends.hpp"

namespace ffdp::mse {

/// Reads 8 and writes 4 B/voxel.
template <>
void On<Backend::cuda>::forward_backward(Context& ctx, const Params& p, Box, Box compute,
                                         const Images<float>& images, View<float> grad,
                                         MetricSum* sum) {
  const View<const float> fixed = images.fixed, warped = images.warped;
  using Sum = device::Sums<2>;
  const ExactUnit rounded(p.unit);
  const auto one = [=] __device__(int z, int y, int x, Sum& total) {
    const float difference = warped(z, y, x) - fixed(z, y, x);
    const bool valid = difference == difference;
    total.v[0] += valid ? rounded(double{difference} * double{difference}) : 0.0;
    total.v[1] += valid ? 1.0 : 0.0;
    if (grad) grad(z, y, x) = valid ? 2 * difference : 0.0F;
  };
  device::sum_voxels<Sum, 8>(ctx, compute, one, device::AddTo{sum});
}

}  // namespace ffdp::mse
