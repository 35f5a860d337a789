// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include "ffdp/ops/common/axis_sums.cuh"
#include "ffdp/ops/common/slots.hpp"
#include "ffdp/ops/smooth/backends.hpp"
#include "ffdp/ops/smooth/damping.hpp"
#include "ffdp/ops/smooth/march.cuh"

namespace ffdp::smooth {
namespace {

enum Slot {
  edge_slot = 0,  // one per axis
  taps_slot = 3,  // likewise
  sums_slot = axis_slots,
  damped_slot = outer_slots
};

/// Edge factors of any reach: one array per axis, for the positions of `box`.
struct LongEdge {
  const float* axis[3];
  Box box;
  __device__ float operator()(int z, int y, int x) const {
    return axis[0][z - box.lo[0]] * axis[1][y - box.lo[1]] * axis[2][x - box.lo[2]];
  }
};

std::vector<float> edge_factors(const std::vector<float>& taps, int domain_lo, int domain_hi,
                                int lo, int hi) {
  const int radius = static_cast<int>(taps.size()) / 2;
  std::vector<float> factors;
  for (int i = lo; i < hi; ++i) {
    double sum = 0;
    for (int k = -radius; k <= radius; ++k)
      if (i + k >= domain_lo && i + k < domain_hi) sum += taps[k + radius];
    factors.push_back(1 / static_cast<float>(sum));
  }
  return factors;
}

template <bool Adjoint>
void run(Context& ctx, const Params& p, const Box& domain, const Box& compute,
         VectorView<const float> in, VectorView<float> out, int parts) {
  const Int3 radius = reach(p);
  const Box readable = intersect(grow(compute, radius), domain);
  std::vector<float> taps[3];
  for (int a = 0; a < 3; ++a) taps[a] = gaussian_taps(p.sigma[a]);
  if (std::max({radius[0], radius[1], radius[2]}) <= device::widest_stencil) {
    const device::Stencil3 stencil(taps, domain);
    device::with_radius(stencil.radius, [&]<int R>() {
      march<R, Adjoint>(ctx, stencil, readable, compute, in, out, parts);
    });
    return;
  }
  LongEdge edge{{}, Adjoint ? readable : compute};
  const float* device_taps[3];
  for (int a = 0; a < 3; ++a) {
    edge.axis[a] = device::upload(
        ctx, edge_slot + a,
        edge_factors(taps[a], domain.lo[a], domain.hi[a], edge.box.lo[a], edge.box.hi[a]));
    device_taps[a] = device::upload(ctx, taps_slot + a, taps[a]);
  }
  auto* sums = ctx.scratch<float>(sums_slot, 2 * static_cast<std::size_t>(readable.volume()));
  for (int part = 0; part < parts; ++part) {
    const View<const float> from = in[part];
    const View<float> to = out[part];
    device::three_axis_sums(
        ctx, device_taps, radius, readable, compute,
        [=] __device__(int z, int y, int x) {
          return Adjoint ? from(z, y, x) * edge(z, y, x) : from(z, y, x);
        },
        sums, to);
    if (Adjoint) continue;
    device::for_each_voxel(ctx, compute,
                           [=] __device__(int z, int y, int x) { to(z, y, x) *= edge(z, y, x); });
  }
}

/// The damped field over what smoothing reads of it, in scratch.
VectorView<const float> damped_field(Context& ctx, const Params& p, const Box& domain,
                                     const Box& compute, VectorView<const float> in) {
  const Box box = intersect(grow(compute, reach(p)), domain);
  const auto size = static_cast<std::size_t>(box.volume());
  const auto out = dense_vectors(ctx.scratch<float>(damped_slot, 3 * size), box);
  const auto weight = static_cast<float>(p.damping);
  device::for_each_voxel(ctx, box, [=] __device__(int z, int y, int x) {
    const Neighbours n(in, domain, z, y, x);
    const float* v = &in[0](z, y, x);
    out[0](z, y, x) = damped<0>(v, in.stride_c, n, weight);
    out[1](z, y, x) = damped<1>(v, in.stride_c, n, weight);
    out[2](z, y, x) = damped<2>(v, in.stride_c, n, weight);
  });
  return out;
}

template <class T>
VectorView<T> as_vector(View<T> v) {
  return {v.data, v.stored, 0, v.stride_z, v.stride_y};
}

}  // namespace

template <>
void On<Backend::cuda>::forward(Context& ctx, const Params& p, Box domain, Box compute,
                                View<const float> in, View<float> out) {
  run<false>(ctx, p, domain, compute, as_vector(in), as_vector(out), 1);
}

template <>
void On<Backend::cuda>::forward(Context& ctx, const Params& p, Box domain, Box compute,
                                VectorView<const float> in, VectorView<float> out) {
  if (p.damping > 0) in = damped_field(ctx, p, domain, compute, in);
  run<false>(ctx, p, domain, compute, in, out, 3);
}

template <>
void On<Backend::cuda>::backward(Context& ctx, const Params& p, Box domain, Box compute,
                                 View<const float> grad_out, View<float> grad_in) {
  run<true>(ctx, p, domain, compute, as_vector(grad_out), as_vector(grad_in), 1);
}

}  // namespace ffdp::smooth
