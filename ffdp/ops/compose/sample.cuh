// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/common/trilinear.hpp"
#include "ffdp/ops/common/voxels.cuh"

namespace ffdp::compose {

/// s + u(x + s) at the voxel (z, y, x), u trilinear with its edge value beyond the domain. The
/// position is split into the voxel and the step, so that it loses nothing far from the origin.
struct Composer {
  Box domain;
  VectorView<const float> u;

  __device__ device::Vector3 operator()(int z, int y, int x, float dz, float dy, float dx) const {
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
  }
};

}  // namespace ffdp::compose
