// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/common/voxels.cuh"
#include "ffdp/ops/differences/backends.hpp"
#include "ffdp/ops/differences/math.hpp"

namespace ffdp::differences {

/// Reads 4 B/voxel; neighbours come from the caches.
template <>
template <>
void On<Backend::cuda>::forward(Context& ctx, const Params& p, Box domain, Box compute,
                                View<const float> u, double* sum) {
  using Sum = device::Sums<1>;
  const Flat<float> flat = flat_of<float>(p, domain, u);
  device::sum_voxels<Sum>(
      ctx, compute,
      [=] __device__(int z, int y, int x, Sum& total) { total.v[0] += energy(flat, u, z, y, x); },
      [sum] __device__(const Sum& total) { *sum += total.v[0]; });
}

/// Reads 4 and writes 4 B/voxel.
template <>
template <>
void On<Backend::cuda>::backward(Context& ctx, const Params& p, Box domain, Box compute,
                                 View<const float> u, const float* scale, View<float> grad) {
  const Flat<float> flat = flat_of<float>(p, domain, u);
  device::for_each_voxel(ctx, compute, [=] __device__(int z, int y, int x) {
    grad(z, y, x) = *scale * energy_vjp(flat, u, z, y, x);
  });
}

}  // namespace ffdp::differences
