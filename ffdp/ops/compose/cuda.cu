// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/compose/backends.hpp"
#include "ffdp/ops/compose/composer.cuh"

namespace ffdp::compose::cuda {
namespace {

/// A thread makes one column of voxels, two at a time, so that their loads are in flight together.
template <class Compose>
__global__ void __launch_bounds__(device::tile_threads, 4)
    compose_kernel(Compose composer, float scale, VectorView<const float> step, Box box, int planes,
                   VectorView<float> out) {
  const int x = box.lo[2] + static_cast<int>(blockIdx.x) * device::tile_x + threadIdx.x;
  const int y = box.lo[1] + static_cast<int>(blockIdx.y) * device::tile_y + threadIdx.y;
  int z = box.lo[0] + static_cast<int>(blockIdx.z) * planes;
  const int z_hi = min(z + planes, box.hi[0]);
  if (x >= box.hi[2] || y >= box.hi[1]) return;
  const auto make = [&](int at) {
    const float* s = step.data + step[0].offset(at, y, x);
    return composer(at, y, x, scale * s[0], scale * s[step.stride_c], scale * s[2 * step.stride_c]);
  };
  const auto put = [&](int at, const device::Vector3& result) {
    float* to = out.data + out[0].offset(at, y, x);
#pragma unroll
    for (int c = 0; c < 3; ++c) to[c * out.stride_c] = result.v[c];
  };
  for (; z + 1 < z_hi; z += 2) {
    const auto first = make(z), second = make(z + 1);
    put(z, first);
    put(z + 1, second);
  }
  if (z < z_hi) put(z, make(z));
}

}  // namespace

/// Reads 24 and writes 12 B/voxel; the eight neighbours of each component come from the caches.
void forward(Context& ctx, const Params& p, Box domain, Box compute, VectorView<const float> step,
             VectorView<const float> u, VectorView<float> out) {
  const device::Tiles tiles = device::tiles_of(compute);
  with_composer(domain, u, [&](const auto& composer) {
    compose_kernel<<<tiles.grid, dim3(device::tile_x, device::tile_y), 0, stream_of(ctx)>>>(
        composer, p.scale, step, compute, tiles.planes, out);
  });
  check(cudaGetLastError());
}

}  // namespace ffdp::compose::cuda
