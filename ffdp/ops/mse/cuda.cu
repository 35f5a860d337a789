// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/common/voxels.cuh"
#include "ffdp/ops/mse/backends.hpp"

namespace ffdp::mse::cuda {

/// Reads 8 and writes 4 B/voxel.
MetricSum forward_backward(Context& ctx, const Params&, Box, Box compute, View<const float> fixed,
                           View<const float> warped, View<float> grad) {
  using Sum = device::Sums<2>;
  const auto total =
      device::sum_voxels<Sum, 8>(ctx, compute, [=] __device__(int z, int y, int x, Sum& sum) {
        const float difference = warped(z, y, x) - fixed(z, y, x);
        const bool valid = difference == difference;
        sum.v[0] += valid ? double{difference} * double{difference} : 0.0;
        sum.v[1] += valid ? 1.0 : 0.0;
        if (grad) grad(z, y, x) = valid ? 2 * difference : 0.0F;
      });
  return {total.v[0], total.v[1]};
}

}  // namespace ffdp::mse::cuda
