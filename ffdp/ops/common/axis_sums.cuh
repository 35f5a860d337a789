// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/view.hpp"
#include "ffdp/ops/common/voxels.cuh"

/// Separable stencils of any reach, in one pass per axis.
namespace ffdp::device {

/// out(i) = sum_k taps[k] load(i + k - radius) along one axis over `box`; positions outside
/// `readable` are left out. Takes 2 radius + 1 reads per voxel, mostly from the caches.
template <class Load>
void axis_sums(const Context& ctx, int axis, const float* taps, int radius, const Box& readable,
               const Box& box, const Load& load, View<float> out) {
  const int lo = readable.lo[axis], hi = readable.hi[axis];
  for_each_voxel(ctx, box, [=] __device__(int z, int y, int x) {
    const int i = axis == 0 ? z : axis == 1 ? y : x;
    float sum = 0;
    for (int k = max(i - radius, lo); k <= min(i + radius, hi - 1); ++k)
      sum += taps[k - i + radius] * load(axis == 0 ? k : z, axis == 1 ? k : y, axis == 2 ? k : x);
    out(z, y, x) = sum;
  });
}

/// All three axes of axis_sums, x first; `scratch` has room for twice the voxels of `readable`,
/// which is compute grown by the radii within the domain.
template <class Load>
void three_axis_sums(const Context& ctx, const float* const (&taps)[3], const Int3& radius,
                     const Box& readable, const Box& compute, const Load& load, float* scratch,
                     View<float> out) {
  Box rows = readable, planes = readable;
  rows.lo[2] = planes.lo[2] = compute.lo[2];
  rows.hi[2] = planes.hi[2] = compute.hi[2];
  planes.lo[1] = compute.lo[1];
  planes.hi[1] = compute.hi[1];
  const View<float> a = dense_view(scratch, rows),
                    b = dense_view(scratch + readable.volume(), planes);
  axis_sums(ctx, 2, taps[2], radius[2], readable, rows, load, a);
  axis_sums(
      ctx, 1, taps[1], radius[1], readable, planes,
      [a] __device__(int z, int y, int x) { return a(z, y, x); }, b);
  axis_sums(
      ctx, 0, taps[0], radius[0], readable, compute,
      [b] __device__(int z, int y, int x) { return b(z, y, x); }, out);
}

}  // namespace ffdp::device
