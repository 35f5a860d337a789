// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <limits>

#include "ffdp/core/view.hpp"
#include "ffdp/ops/common/voxels.cuh"

/// What the kernels of separable stencils share.
namespace ffdp::device {

enum class Stencil {
  box,       ///< sum over 2 R + 1 voxels
  weighted,  ///< taps in Weights, zero beyond the radius of an axis
};

struct Weights {
  float axis[3][17];
};

/// Weighted sums of 2 R + 1 planes, R of which are to come, of N voxels.
template <int R, int N>
struct PlanesToCome {
  float waiting[2 * R][N] = {};

  /// Takes a plane; it becomes the sums of the planes it ends.
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

/// Four, eight or sixteen bytes from device to shared memory, asynchronously.
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

/// Planes that a block makes, of `planes` in each of `tiles`: with the least steps for a device
/// that runs `blocks` a multiprocessor at once, where a block takes `halo` steps before its first
/// plane. At most 128, so that blocks that take longer do not hold up the end.
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

/// Whether runs of n voxels from `x` on may be had with one access.
template <class T>
bool aligned_runs(const View<T>& view, int x, int n) {
  return reinterpret_cast<std::uintptr_t>(view.data) % (n * sizeof(T)) == 0 &&
         view.stride_z % n == 0 && view.stride_y % n == 0 && (x - view.stored.lo[2]) % n == 0;
}

/// Whether fours of voxels from box.lo x on may be read with one 16-byte access.
inline bool aligned_rows(const View<const float>& view, const Box& box) {
  return aligned_runs(view, box.lo[2], 4) && view.stored.size(2) % 4 == 0;
}

inline constexpr int widest_stencil = 8;
/// Calls body.operator()<R>() for a radius within 1 and `widest`.
template <int widest = widest_stencil, int R = 1, class Body>
void with_radius(int radius, Body&& body) {
  if constexpr (R < widest)
    if (radius > R) return with_radius<widest, R + 1>(radius, body);
  body.template operator()<R>();
}

}  // namespace ffdp::device
