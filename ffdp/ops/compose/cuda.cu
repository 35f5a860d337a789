// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/compose/backends.hpp"
#include "ffdp/ops/compose/sample.cuh"

namespace ffdp::compose::cuda {

/// Reads 24 and writes 12 B/voxel; the eight neighbours of each component come from the caches.
void forward(Context& ctx, const Params& p, Box domain, Box compute, VectorView<const float> step,
             VectorView<const float> u, VectorView<float> out) {
  const float k = p.scale;
  const Composer composer{domain, u};
  const auto make = [=] __device__(int z, int y, int x) {
    return composer(z, y, x, k * step[0](z, y, x), k * step[1](z, y, x), k * step[2](z, y, x));
  };
  const auto put = [=] __device__(int z, int y, int x, const device::Vector3& result) {
    float* to = out.data + out[0].offset(z, y, x);
#pragma unroll
    for (int c = 0; c < 3; ++c) to[c * out.stride_c] = result.v[c];
  };
  device::for_each_voxel(ctx, compute, make, put);
}

}  // namespace ffdp::compose::cuda
