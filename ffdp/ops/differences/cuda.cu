// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/common/voxels.cuh"
#include "ffdp/ops/differences/backends.hpp"
#include "ffdp/ops/differences/known.hpp"

namespace ffdp::differences {
namespace {

template <class Stencils>
struct Energy {
  Stencils stencils;
  View<const float> u;
  __device__ void operator()(int z, int y, int x, device::Sums<1>& total) const {
    total.v[0] += stencils.energy(u, z, y, x);
  }
};

template <class Stencils>
struct EnergyVjp {
  Stencils stencils;
  View<const float> u;
  const float* scale;
  View<float> grad;
  __device__ void operator()(int z, int y, int x) const {
    grad(z, y, x) = *scale * stencils.energy_vjp(u, z, y, x);
  }
};

}  // namespace

/// Reads 4 B/voxel; neighbours come from the caches.
template <>
template <>
void On<Backend::cuda>::forward(Context& ctx, const Params& p, Box domain, Box compute,
                                View<const float> u, double* sum) {
  const auto add = [sum] __device__(const device::Sums<1>& total) { *sum += total.v[0]; };
  with_stencils<float>(p, domain, [&]<class Stencils>(const Stencils& stencils) {
    device::sum_voxels<device::Sums<1>>(ctx, compute, Energy<Stencils>{stencils, u}, add);
  });
}

/// Reads 4 and writes 4 B/voxel.
template <>
template <>
void On<Backend::cuda>::backward(Context& ctx, const Params& p, Box domain, Box compute,
                                 View<const float> u, const float* scale, View<float> grad) {
  with_stencils<float>(p, domain, [&]<class Stencils>(const Stencils& stencils) {
    device::for_each_voxel(ctx, compute, EnergyVjp<Stencils>{stencils, u, scale, grad});
  });
}

}  // namespace ffdp::differences
