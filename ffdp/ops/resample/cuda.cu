// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/common/voxels.cuh"
#include "ffdp/ops/resample/backends.hpp"
#include "ffdp/ops/resample/math.hpp"

namespace ffdp::resample {
namespace {

using Sums12 = device::Sums<12>;

template <bool OneChannel>
void sample_all(Context& ctx, Params p, const Box& image_domain, const Box& compute,
                const Inputs<float>& inputs, Into into, VectorView<float> out) {
  device::for_each_voxel<4>(ctx, compute, [=] __device__(int z, int y, int x) {
    Params mine = p;
    if (OneChannel) mine.channels = 1;
    sample(mine, image_domain, inputs, into, out, z, y, x);
  });
}

}  // namespace

/// A thread makes a column of voxels. Reads 12 B/voxel of u, 4 of each channel (its corners mostly
/// from the caches) and writes 4 of each.
template <>
template <>
void On<Backend::cuda>::forward(Context& ctx, const Params& params, Box image_domain, Box compute,
                                const Inputs<float>& inputs, Into into, VectorView<float> out) {
  (params.channels == 1 ? sample_all<true> : sample_all<false>)(ctx, params, image_domain, compute,
                                                                inputs, into, out);
}

template <>
template <>
void On<Backend::cuda>::backward(Context& ctx, const Params& params, Box image_domain, Box compute,
                                 const Inputs<float>& inputs, VectorView<const float> grad_out,
                                 const Gradients<float>& gradients) {
  const auto one = [=] __device__(int z, int y, int x, double(&sums)[12]) {
    const Point<float> at = point(params, image_domain, inputs, z, y, x);
    float grad_q[3] = {};
    sample_vjp(
        params, at, inputs, grad_out, gradients.image, grad_out[0].offset(z, y, x),
        [](float* to, float value) { atomicAdd(to, value); }, grad_q);
    pull_back(params, at, inputs, grad_q, gradients, z, y, x, sums);
  };
  if (!gradients.affine) {
    device::for_each_voxel<4>(ctx, compute, [=] __device__(int z, int y, int x) {
      double unused[12];
      one(z, y, x, unused);
    });
    return;
  }
  double* const to = gradients.affine;
  device::sum_voxels<Sums12>(
      ctx, compute, [=] __device__(int z, int y, int x, Sums12& sums) { one(z, y, x, sums.v); },
      [to] __device__(const Sums12& total) {
        for (int i = 0; i < 12; ++i) to[i] += total.v[i];
      });
}

}  // namespace ffdp::resample
