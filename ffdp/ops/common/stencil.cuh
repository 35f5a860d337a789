// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <limits>

#include "ffdp/core/view.hpp"
#include "ffdp/ops/common/voxels.cuh"

/// Functions that the kernels of separable stencils share.
namespace ffdp::device {

enum class Stencil {
  box,       ///< sum over 2 R + 1 voxels
  weighted,  ///< taps in Weights, zero beyond the radius of an axis
};

struct Weights {
  float axis[3][17];
};

/// Weighted sums of 2 R + 1 planes for N voxels. Each sum waits until its last plane has come.
template <int R, int N>
struct PlanesToCome {
  float waiting[2 * R][N] = {};

  /// Adds a plane. `plane` becomes the sums of the 2 R + 1 planes that it completes.
  __device__ void push(const float (&taps)[17], float (&plane)[N]) {
#pragma unroll
    for (int i = 0; i < N; ++i) {
      const float v = plane[i];
      plane[i] = waiting[0][i] + taps[2 * R] * v;
#pragma unroll
      for (int k = 0; k + 1 < 2 * R; ++k)
        waiting[k][i] = waiting[k + 1][i] + taps[2 * R - 1 - k] * v;
      waiting[2 * R - 1][i] = taps[0] * v;
    }
  }
};

/// Copies 4, 8 or 16 bytes from device to shared memory, asynchronously.
template <int bytes>
__device__ inline void copy_async(unsigned int to, const void* from) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], %2;" ::"r"(to), "l"(from), "n"(bytes));
}
template <int bytes>
__device__ inline void copy_async(float* to, const float* from) {
  copy_async<bytes>(static_cast<unsigned int>(__cvta_generic_to_shared(to)), from);
}

struct NoSum {
  __device__ void operator+=(const NoSum&) {}
};

/// How many planes a block should make, for `tiles` tiles of `planes` planes: the number with the
/// fewest steps, if each multiprocessor runs `blocks` blocks at once and a block takes `halo` steps
/// before its first plane. At most 128, so that slow blocks do not delay the end.
inline int stretch_planes(std::int64_t tiles, int planes, int halo, int blocks) {
  int device = 0, multiprocessors = 0;
  check(cudaGetDevice(&device));
  check(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device));
  const std::int64_t at_once = std::int64_t{multiprocessors} * blocks;
  int best = 1;
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  for (int stretch = std::min(planes, 128); stretch >= 1; --stretch) {
    const std::int64_t all = tiles * ((planes + stretch - 1) / stretch);
    const std::int64_t steps = (all + at_once - 1) / at_once * (stretch + halo);
    if (steps < least) best = stretch;
    least = std::min(least, steps);
  }
  return best;
}

/// Whether runs of n voxels from `x` on can be read with one access.
template <class T>
bool aligned_runs(const View<T>& view, int x, int n) {
  return reinterpret_cast<std::uintptr_t>(view.data) % (n * sizeof(T)) == 0 &&
         view.stride_z % n == 0 && view.stride_y % n == 0 && (x - view.stored.lo[2]) % n == 0;
}

/// Whether groups of four voxels from box.lo x on can be read with one 16-byte access.
inline bool aligned_rows(const View<const float>& view, const Box& box) {
  return aligned_runs(view, box.lo[2], 4) && view.stored.size(2) % 4 == 0;
}

inline constexpr int widest_stencil = 8;
/// Calls body.operator()<R>() for a radius between 1 and `widest`.
template <int widest = widest_stencil, int R = 1, class Body>
void with_radius(int radius, Body&& body) {
  if constexpr (R < widest)
    if (radius > R) return with_radius<widest, R + 1>(radius, body);
  body.template operator()<R>();
}

}  // namespace ffdp::device
