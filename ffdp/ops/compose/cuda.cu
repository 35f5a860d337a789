// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/common/trilinear.hpp"
#include "ffdp/ops/common/voxels.cuh"
#include "ffdp/ops/compose/backends.hpp"

namespace ffdp::compose::cuda {

/// Reads 24 and writes 12 B/voxel; the eight neighbours of each component come from the caches.
/// The position is split into the voxel and the step, so that it loses nothing far from the origin.
void forward(Context& ctx, const Params& p, Box domain, Box compute, VectorView<const float> step,
             VectorView<const float> u, VectorView<float> out) {
  const float k = p.scale;
  const auto make = [=] __device__(int z, int y, int x) {
    const float dz = k * step[0](z, y, x), dy = k * step[1](z, y, x), dx = k * step[2](z, y, x);
    const AxisCell cz = axis_cell(dz, domain.lo[0] - z, domain.hi[0] - z);
    const AxisCell cy = axis_cell(dy, domain.lo[1] - y, domain.hi[1] - y);
    const AxisCell cx = axis_cell(dx, domain.lo[2] - x, domain.hi[2] - x);
    const std::int64_t base = u[0].offset(z + cz.lower, y + cy.lower, x + cx.lower);
    const std::int64_t oz = cz.fraction > 0 ? u.stride_z : 0;
    const std::int64_t oy = cy.fraction > 0 ? u.stride_y : 0;
    const int ox = cx.fraction > 0 ? 1 : 0;
    const float shift[3] = {dz, dy, dx};
    device::Vector3 result;
#pragma unroll
    for (int c = 0; c < 3; ++c) {
      const float* d = u.data + c * u.stride_c + base;
      const float v[8] = {d[0],  d[ox],      d[oy],      d[oy + ox],
                          d[oz], d[oz + ox], d[oz + oy], d[oz + oy + ox]};
      result.v[c] = shift[c] + trilinear(v, cz.fraction, cy.fraction, cx.fraction);
    }
    return result;
  };
  const auto put = [=] __device__(int z, int y, int x, const device::Vector3& result) {
    float* to = out.data + out[0].offset(z, y, x);
#pragma unroll
    for (int c = 0; c < 3; ++c) to[c * out.stride_c] = result.v[c];
  };
  device::for_each_voxel(ctx, compute, make, put);
}

}  // namespace ffdp::compose::cuda
