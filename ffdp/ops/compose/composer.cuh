// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/common/trilinear.hpp"
#include "ffdp/ops/common/voxels.cuh"

namespace ffdp::compose {

/// As axis_cell, for a shift of less than 2^22 voxels: the voxel below `shift`, and the fraction
/// beyond it.
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

/// s + u(x + s) at the voxel (z, y, x). u is trilinear and has its edge value beyond the domain.
/// The position is kept as voxel plus step, so that it loses no digits far from the origin. Along
/// every axis longer than one voxel, u is read at both neighbours of the point; its halo contains
/// them.
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
  /// Prefetches u to the L2 cache. Steps are short in registration, so this plane will be read.
  __device__ void prefetch(int z, int y, int x) const { device::prefetch(u, z, y, x); }
};

/// Tiles are wide along x, because neighbouring tiles read the voxels that they share twice.
inline constexpr int compose_x = 64, compose_y = 4;

/// A thread makes one column of voxels. It prefetches, because a voxel waits for two loads in a
/// row: the step, then u. Steps has column(y, x), the values that a column shares;
/// operator()(column, z, y, x, s), which writes the step at a voxel to s; and prefetch(z, y, x).
template <class Steps, bool flat_x>
__global__ void __launch_bounds__(compose_x* compose_y, 4)
    compose_kernel(Steps steps, Composer<flat_x> composer, Box box, int planes,
                   VectorView<float> out) {
  const device::Column place = device::thread_column<compose_x, compose_y>(box, planes);
  if (!place.in_box) return;
  const int y = place.y, x = place.x;
  const auto column = steps.column(y, x);
  const auto prefetch = [&](int z, int planes_on) {
    steps.prefetch(z + planes_on, y, x);
    composer.prefetch(z + planes_on, y, x);
  };
  const auto make = [&](int at) {
    float s[3];
    steps(column, at, y, x, s);
    return composer(at, y, x, s[0], s[1], s[2]);
  };
  const auto put = [&](int at, const device::Vector3& result) {
    float* to = out.data + out[0].offset(at, y, x);
#pragma unroll
    for (int c = 0; c < 3; ++c) __stcs(to + c * out.stride_c, result.v[c]);
  };
  const auto two = [&](int& z) {
    const auto first = make(z), second = make(z + 1);
    put(z, first);
    put(z + 1, second);
    z += 2;
  };
  device::two_by_two(place, prefetch, two, [&](int z) { put(z, make(z)); });
}

/// out(x) = s(x) + u(x + s(x)) over `box`.
template <class Steps>
void compose_steps(const Context& ctx, const Steps& steps, const Box& domain, const Box& box,
                   VectorView<const float> u, VectorView<float> out) {
  const device::Tiles tiles = device::tiles_of(box, compose_x, compose_y);
  const auto launch = [&]<bool flat_x>(const Composer<flat_x>& composer) {
    compose_kernel<<<tiles.grid, dim3(compose_x, compose_y), 0, stream_of(ctx)>>>(
        steps, composer, box, tiles.planes, out);
  };
  if (domain.size(2) == 1)
    launch(Composer<true>{domain, u});
  else
    launch(Composer<false>{domain, u});
  check(cudaGetLastError());
}

}  // namespace ffdp::compose
