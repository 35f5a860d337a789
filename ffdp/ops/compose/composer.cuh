// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/common/trilinear.hpp"
#include "ffdp/ops/common/voxels.cuh"

namespace ffdp::compose {

/// axis_cell for a shift of less than 2^22 voxels: the voxel below `shift` and how far beyond it.
struct ShiftCell {
  int lower;
  float fraction;
};
__device__ inline ShiftCell shift_cell(float shift, int lo, int hi) {
  const float c = fminf(fmaxf(shift, static_cast<float>(lo)), static_cast<float>(hi - 1));
  // Rounded down in the last bit of 1.5 * 2^23.
  constexpr float magic = 12582912.0F;
  const float rounded = fminf(__fadd_rd(c, magic), magic + static_cast<float>(max(hi - 2, lo)));
  return {__float_as_int(rounded) - __float_as_int(magic), c - (rounded - magic)};
}

/// s + u(x + s) at the voxel (z, y, x), u trilinear with its edge value beyond the domain. The
/// position is split into the voxel and the step, so that it loses nothing far from the origin.
/// u is read at both neighbours of the point along every axis longer than one voxel, which its halo
/// holds.
template <bool flat_x>
struct Composer {
  Box domain;
  VectorView<const float> u;

  __device__ device::Vector3 operator()(int z, int y, int x, float dz, float dy, float dx) const {
    const ShiftCell cz = shift_cell(dz, domain.lo[0] - z, domain.hi[0] - z);
    const ShiftCell cy = shift_cell(dy, domain.lo[1] - y, domain.hi[1] - y);
    const ShiftCell cx = shift_cell(dx, domain.lo[2] - x, domain.hi[2] - x);
    const float* at = u.data + u[0].offset(z + cz.lower, y + cy.lower, x + cx.lower);
    const std::int64_t oz = domain.size(0) > 1 ? u.stride_z : 0;
    const std::int64_t oy = domain.size(1) > 1 ? u.stride_y : 0;
    const float shift[3] = {dz, dy, dx};
    device::Vector3 result;
#pragma unroll
    for (int c = 0; c < 3; ++c) {
      const float* const row[4] = {at, at + oy, at + oz, at + (oz + oy)};
      float v[8];
#pragma unroll
      for (int r = 0; r < 4; ++r) {
        v[2 * r] = row[r][0];
        v[2 * r + 1] = flat_x ? v[2 * r] : row[r][1];
      }
      at += u.stride_c;
      result.v[c] = shift[c] + trilinear(v, cz.fraction, cy.fraction, cx.fraction);
    }
    return result;
  }
};

/// Calls body(composer) with the composer for the shape of the domain.
template <class Body>
void with_composer(const Box& domain, VectorView<const float> u, Body&& body) {
  if (domain.size(2) == 1)
    body(Composer<true>{domain, u});
  else
    body(Composer<false>{domain, u});
}

}  // namespace ffdp::compose
