// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/half.hpp"
#include "ffdp/core/view.hpp"
#include "ffdp/ops/common/stencil.cuh"

/// What a lane of sweep.cuh makes: sums along y and x of its two neighbours, sums along z that wait
/// for their last plane, and accesses to pairs of voxels.
namespace ffdp::device {

inline constexpr int sweep_warps = 8, sweep_threads = 32 * sweep_warps;
inline constexpr int sweep_x = 2;       ///< neighbours along x that a thread makes
inline constexpr int sweep_stages = 3;  ///< planes in shared memory: one in use, two being copied

/// What a lane makes of a row: of the two neighbours x and x + 1, those numbered [skip, end).
/// `full`: both, at addresses that allow one access.
struct Neighbours {
  int z, y, x, skip, end;
  bool full;
};

/// What Op::emit is told about the windows of the two neighbours.
struct WindowState {
  bool whole;            ///< they lie inside, and no voxel in them is missing
  bool clean;            ///< no voxel in them is missing
  float count[sweep_x];  ///< number of their voxels, if Op::missing
};

/// Whether either is NaN (std::isunordered is always true on the device).
__device__ inline bool absent(float a, float b) { return !(a == a && b == b); }

/// Sums along x of one row. A lane holds the neighbours v; the result of the `margin` lanes on each
/// side is meaningless. The order of addition depends on the parity of x alone.
template <int R, Stencil stencil>
__device__ inline void lane_sums(const float (&v)[2], const float (&taps)[17], float (&out)[2]) {
  constexpr unsigned all = 0xffffffffU;
  constexpr int m = (R + 1) / 2;
  if constexpr (stencil == Stencil::box) {
    static_assert(R <= 2);
    const float pair = v[0] + v[1];
    const float common = R == 1 ? pair : __shfl_up_sync(all, pair, 1) + pair;
    const float below = __shfl_up_sync(all, v[1], m), above = __shfl_down_sync(all, v[0], m);
    if constexpr (R == 1) {
      out[0] = below + common;
      out[1] = common + above;
    } else {
      out[0] = common + above;
      out[1] = below + __shfl_down_sync(all, common, 1);
    }
  } else {
    float line[4 * m + 2];
    line[2 * m] = v[0];
    line[2 * m + 1] = v[1];
#pragma unroll
    for (int k = 1; k <= m; ++k)
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const bool far = 2 * k - i > R;  // beyond the reach
        line[2 * (m - k) + i] = far ? 0.0F : __shfl_up_sync(all, v[i], k);
        line[2 * (m + k) + i] = 2 * k + i > R + 1 ? 0.0F : __shfl_down_sync(all, v[i], k);
      }
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      out[i] = taps[0] * line[2 * m - R + i];
#pragma unroll
      for (int k = 1; k <= 2 * R; ++k) out[i] += taps[k] * line[2 * m - R + i + k];
    }
  }
}

/// sums[q] += factor * quantities of the neighbours `value`.
template <class Op, int Q>
__device__ inline void add_row(const Op& op, float factor, const float (&value)[2][Op::values],
                               float (&sums)[Q][2]) {
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    float sum[Q];
#pragma unroll
    for (int q = 0; q < Q; ++q) sum[q] = sums[q][i];
    op.add(factor, value[i], sum);
#pragma unroll
    for (int q = 0; q < Q; ++q) sums[q][i] = sum[q];
  }
}

/// Sums along y, centred in the rows y ... y + H - 1 of a plane, for every quantity of two
/// neighbours. They are made from the rows from y - R on in shared memory. If `careful`, voxels
/// that are NaN or outside `readable` are left out, and `count` gets the number of the others.
template <int R, Stencil stencil, bool careful, class Op, class Stage, int Q, int H>
__device__ inline void row_sums(const Op& op, const Weights& weights, const Box& readable, int y,
                                int x, const Stage& stage, int first_row, float (&sums)[H][Q][2],
                                int (&count)[H][2]) {
  constexpr int rows = sweep_warps * H + 2 * R;  // of a raw
  float first[2][Op::values];
#pragma unroll
  for (int h = 0; h < H; ++h)
#pragma unroll
    for (int q = 0; q < Q; ++q) sums[h][q][0] = sums[h][q][1] = 0;
#pragma unroll
  for (int h = 0; h < H; ++h) count[h][0] = count[h][1] = 0;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  constexpr int unrolled = careful ? 1 : 2 * R + H;  // it must not cost the common case registers
#pragma unroll unrolled
  for (int j = 0; j < 2 * R + H; ++j) {
    float raw[2][Op::raws], value[2][Op::values];
#pragma unroll
    for (int k = 0; k < Op::raws; ++k) {
      const float2 two =
          *reinterpret_cast<const float2*>(&stage[k * rows + first_row + j][2 * lane]);
      raw[0][k] = two.x;
      raw[1][k] = two.y;
    }
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      op.prepare(raw[i], value[i]);
      if constexpr (Op::missing && careful) {
        const bool there = !absent(raw[i][0], raw[i][1]) && y - R + j >= readable.lo[1] &&
                           y - R + j < readable.hi[1] && x + i >= readable.lo[2] &&
                           x + i < readable.hi[2];
#pragma unroll
        for (int k = 0; k < Op::values; ++k) value[i][k] = there ? value[i][k] : 0.0F;
#pragma unroll
        for (int h = 0; h < H; ++h) count[h][i] += there && j >= h && j <= h + 2 * R;
      }
    }
    if constexpr (stencil == Stencil::weighted) {
#pragma unroll
      for (int h = 0; h < H; ++h)
        if (j >= h && j <= h + 2 * R) add_row(op, weights.axis[1][j - h], value, sums[h]);
    } else if (H == 1 || (j > 0 && j <= 2 * R)) {
      add_row(op, 1.0F, value, sums[0]);  // of two rows, what they share
    } else if (j == 0) {
#pragma unroll
      for (int i = 0; i < 2; ++i)
#pragma unroll
        for (int k = 0; k < Op::values; ++k) first[i][k] = value[i][k];
    } else {
#pragma unroll
      for (int q = 0; q < Q; ++q)
#pragma unroll
        for (int i = 0; i < 2; ++i) sums[H - 1][q][i] = sums[0][q][i];
      add_row(op, 1.0F, value, sums[H - 1]);
      add_row(op, 1.0F, first, sums[0]);
    }
  }
}

/// Two neighbours of a row, [skip, end) of which count; `full`: both, at an address for one access.
__device__ inline void load_pair(const float* from, int skip, int end, bool full, float (&v)[2]) {
  if (full) {
    const float2 two = *reinterpret_cast<const float2*>(from);
    v[0] = two.x;
    v[1] = two.y;
    return;
  }
#pragma unroll
  for (int i = 0; i < 2; ++i) v[i] = i >= skip && i < end ? from[i] : 0.0F;
}
__device__ inline void load_pair(const Half* from, int skip, int end, bool full, Half (&v)[2]) {
  if (full) {
    const ushort2 two = *reinterpret_cast<const ushort2*>(from);
    v[0] = {two.x};
    v[1] = {two.y};
    return;
  }
#pragma unroll
  for (int i = 0; i < 2; ++i) v[i] = i >= skip && i < end ? from[i] : Half{};
}
template <class T>
__device__ inline void store_pair(T* to, int skip, int end, bool full, const T (&v)[2]) {
  if (full) {
    // In assembler: the compiler would merge it with the single stores below into two stores.
    if constexpr (sizeof(T) == 4)
      asm volatile("st.global.v2.f32 [%0], {%1, %2};" ::"l"(to), "f"(v[0]), "f"(v[1]) : "memory");
    else
      asm volatile("st.global.v2.u16 [%0], {%1, %2};" ::"l"(to), "h"(v[0].bits), "h"(v[1].bits)
                   : "memory");
    return;
  }
#pragma unroll
  for (int i = 0; i < 2; ++i)
    if (i >= skip && i < end) to[i] = v[i];
}

/// Box sums of 2 R + 1 planes, made from sums of pairs of planes (an even one and the next): 2 R +
/// 1 additions for two planes.
template <int R, int Q>
struct PlaneQueue {
  float whole[R][Q][2] = {};  ///< sums centred in odd planes, ordered by how much is to come
  float inner[R > 1 ? R - 1 : 1][Q][2] = {};  ///< sums of pairs, for sums centred in even planes
  float last[Q][2] = {};  ///< the last even plane, or the R pairs before the even plane to come

  /// Adds a plane. `sums` holds the plane, and then the sums of the 2 R + 1 planes that it
  /// completes.
  template <bool odd>
  __device__ void push(float (&sums)[Q][2]) {
#pragma unroll
    for (int q = 0; q < Q; ++q)
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const float plane = sums[q][i];
        if constexpr (!odd) {
          sums[q][i] = last[q][i] + plane;
          last[q][i] = plane;
          continue;
        }
        const float pair = last[q][i] + plane;
        sums[q][i] = whole[0][q][i] + pair;
        last[q][i] = R > 1 ? inner[0][q][i] + pair : pair;
#pragma unroll
        for (int k = 0; k + 1 < R; ++k) whole[k][q][i] = whole[k + 1][q][i] + pair;
#pragma unroll
        for (int k = 0; k + 2 < R; ++k) inner[k][q][i] = inner[k + 1][q][i] + pair;
        whole[R - 1][q][i] = plane;
        if constexpr (R > 1) inner[R - 2][q][i] = pair;
      }
  }
};

/// PlanesToCome of Q quantities of two neighbours.
template <int R, int Q>
struct WeightedQueue {
  PlanesToCome<R, 2> quantity[Q];

  __device__ void push(const float (&taps)[17], float (&sums)[Q][2]) {
#pragma unroll
    for (int q = 0; q < Q; ++q) quantity[q].push(taps, sums[q]);
  }
};

}  // namespace ffdp::device
