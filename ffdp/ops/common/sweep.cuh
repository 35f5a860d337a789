// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/half.hpp"
#include "ffdp/core/view.hpp"
#include "ffdp/ops/common/stencil.cuh"

/// Separable stencils of a small reach over several quantities in one pass: sums along y in
/// registers, along x by shuffles, along z in registers. Each voxel is read once and written once.
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

/// A warp makes H = Op::rows<R> rows of 64 - 4 margin voxels and marches along z. A lane makes two
/// neighbours of each row; the `margin` lanes at each end only serve the others. Planes are copied
/// to shared memory two steps before they are summed. There, voxels outside hold Op::outside, whose
/// quantities are 0. Sums along z wait in registers until their last plane has come.
///
/// An Op has (lncc/cuda.cu is an example):
///   quantities, raws, values   numbers of sums, of fields to read, of values made from these
///   Sum                        type of the sum over all voxels
///   missing                    whether voxels where raw 0 or 1 is NaN are left out and counted
///   rows<R>, blocks<R>         rows of a warp (1 or 2); blocks per multiprocessor
///   view(k), outside(k)        field k; its value outside
///   paired                     whether two neighbours may be read or written with one access
///   start()                    optional; a kernel calls it first, to read what device memory holds
///   prepare(raw, value)        makes the values of a voxel
///   add(factor, value, sums)   sums += factor * quantities of a voxel
///   Place, place(neighbours)   addresses that the Op reads and writes; next_plane moves them up
///   Own, own, reads_own        type and number of the fields read at the voxel itself; whether any
///   own_at(place, k)           address of such a field
///   emit(place, neighbours, sums[q][2], state, own[k][2], total)   takes the finished sums
/// Where a box sum begins along an axis depends on the parity of the coordinate alone.
/// @param readable  part of the domain that may be read
/// @param origin    first voxel of the grid of tiles
template <int R, Stencil stencil, bool paired, int blocks, class Op>
__global__ void __launch_bounds__(sweep_threads, blocks)
    sweep_kernel(Op op, Weights weights, Box readable, Box box, Int3 origin, int planes,
                 typename Op::Sum* parts) {
  if constexpr (requires { op.start(); }) op.start();
  constexpr int Q = Op::quantities, H = Op::template rows<R>, margin = (R + 1) / 2;
  constexpr int width = 64 - 4 * margin, side = 2 * R + 1, height = sweep_warps * H + 2 * R;
  constexpr int phases = stencil == Stencil::box ? 2 : 1;  // steps that differ in how sums add up
  static_assert(!Op::missing || R <= 2, "counts wait in 8 bits each");
  constexpr int stage_rows = Op::raws * height + sweep_warps * H * Op::own;
  using Stage = float[stage_rows][64];
  extern __shared__ float4 shared_planes[];
  Stage* const stages = reinterpret_cast<Stage*>(shared_planes);

  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int first_x = origin[2] + static_cast<int>(blockIdx.x) * width - 2 * margin;
  const int x = first_x + 2 * lane;
  const int y0 = origin[1] + static_cast<int>(blockIdx.y) * (sweep_warps * H), y = y0 + warp * H;
  const int z_lo = origin[0] + static_cast<int>(blockIdx.z) * planes;
  const int z_hi = min(z_lo + planes, box.hi[0]), steps = z_hi - z_lo + 2 * R;
  const bool interior = first_x >= readable.lo[2] && first_x + 64 <= readable.hi[2] &&
                        y - R >= readable.lo[1] && y + H + R <= readable.hi[1];
  // A voxel is skipped only at the low face of a box.
  const bool serves = lane < margin || lane >= 32 - margin;
  const int end = serves ? 0 : min(sweep_x, box.hi[2] - x), skip = max(0, box.lo[2] - x);
  const bool full = op.paired && skip == 0 && end == sweep_x;
  bool makes[H];
  typename Op::Place reads[H], writes[H];  // in the next plane of which own fields come, or sums go
#pragma unroll
  for (int h = 0; h < H; ++h) {
    makes[h] = end > skip && y + h >= box.lo[1] && y + h < box.hi[1];
    reads[h] = writes[h] = op.place({z_lo, y + h, x, skip, end, full});
  }
  // Whether a voxel of the tile is readable; in most tiles all are.
  const auto there = [&](int row, int i) {
    const int at_y = y0 - R + row, at_x = x + i;
    return at_y >= readable.lo[1] && at_y < readable.hi[1] && at_x >= readable.lo[2] &&
           at_x < readable.hi[2];
  };
  for (int slot = 0; slot < sweep_stages; ++slot)
    for (int row = warp; row < Op::raws * height; row += sweep_warps)
      for (int i = 0; i < 2; ++i)
        if (!there(row % height, i)) stages[slot][row][2 * lane + i] = op.outside(row / height);
  unsigned int rows_there = 0;  // of the pair of this lane, a bit each
#pragma unroll
  for (int i = 0; i * sweep_warps < height; ++i)
    if (warp + i * sweep_warps < height && there(warp + i * sweep_warps, 0)) rows_there |= 1U << i;

  // Plane z_lo - R + s is added at step s.
  const int first_plane = max(readable.lo[0] - (z_lo - R), 0);
  const int last_plane = min(z_hi + R, readable.hi[0]) - (z_lo - R);
  const auto wanted = [&](int s) { return s >= first_plane && s < last_plane; };
  constexpr unsigned int stage_bytes = sizeof(Stage);
  // Relative to the row of the warp; its lanes read what they have copied themselves.
  const auto own_row = [](int h, int k) {
    return Op::raws * height + (h * Op::own + k) * sweep_warps;
  };
  using Own = typename Op::Own;
  const auto own_pair = [&](unsigned int slot, int h, int k) {
    return reinterpret_cast<Own*>(&stages[slot][warp + own_row(h, k)][2 * lane]);
  };
  const auto mine = static_cast<unsigned int>(__cvta_generic_to_shared(&stages[0][warp][2 * lane]));
  const float* next[Op::raws];  // in the plane to be added next
#pragma unroll
  for (int k = 0; k < Op::raws; ++k) next[k] = op.view(k).row(z_lo - R, y0 - R + warp) + x;
  const auto fetch = [&](int s, unsigned int slot) {
    const unsigned int to = mine + slot * stage_bytes;
    if (!wanted(s)) {  // sums that wait take it for a plane
      if (s < steps)
        for (int row = warp; row < Op::raws * height; row += sweep_warps)
          for (int i = 0; i < 2; ++i) stages[slot][row][2 * lane + i] = op.outside(row / height);
    } else if constexpr (paired) {
#pragma unroll
      for (int k = 0; k < Op::raws; ++k) {
        const View<const float> from = op.view(k);
        const float* at = next[k];
#pragma unroll
        for (int row = 0; row < height; row += sweep_warps) {
          if (rows_there & (1U << (row / sweep_warps)))
            copy_async<8>(to + (k * height + row) * 256, at);
          at += sweep_warps * from.stride_y;
        }
      }
    } else {
      const int z = z_lo - R + s;
#pragma unroll 1
      for (int row = warp; row < Op::raws * height; row += sweep_warps) {
        const float* at = op.view(row / height).row(z, y0 - R + row % height) + x;
#pragma unroll
        for (int i = 0; i < 2; ++i)
          if (there(row % height, i)) copy_async<4>(to + (row - warp) * 256 + 4 * i, at + i);
      }
    }
#pragma unroll
    for (int k = 0; k < Op::raws; ++k) next[k] += op.view(k).stride_z;
    const int z = z_lo + s - 2 * R;
    if (Op::own > 0 && z >= z_lo && z < z_hi) {
#pragma unroll
      for (int h = 0; h < H; ++h) {
#pragma unroll
        for (int k = 0; k < Op::own; ++k) {
          const Own* at = op.own_at(reads[h], k);
          if (!op.reads_own || !makes[h] || z < box.lo[0]) continue;
          if (full) {
            copy_async<2 * sizeof(Own)>(to + own_row(h, k) * 256, at);
          } else {
#pragma unroll
            for (int i = 0; i < 2; ++i)
              if (i >= skip && i < end) own_pair(slot, h, k)[i] = at[i];
          }
        }
        op.next_plane(reads[h]);
      }
    }
    asm volatile("cp.async.commit_group;");
  };

  typename Op::Sum total{};
  PlaneQueue<stencil == Stencil::box ? R : 1, Q> box_queue[H];
  WeightedQueue<stencil == Stencil::weighted ? R : 1, Q> weighted_queue[H];
  std::uint32_t counts[H][2] = {};  // of the windows to come, 8 bits each
  int clean_planes = 0;             // so many in a row, up to the present one
  int slot = 0;
  const auto step = [&]<int phase>(int s) {
    asm volatile("cp.async.wait_group 1;");
    __syncthreads();
    fetch(s + 2, slot == 0 ? sweep_stages - 1 : slot - 1);
    const int z = z_lo + s - 2 * R;
    float line[H][Q][2];
    int count[H][2];
    const Stage& stage = stages[slot];
    row_sums<R, stencil, false>(op, weights, readable, y, x, stage, warp * H, line, count);
    if constexpr (Op::missing) {
      bool missing = false;  // NaN shows in the sum of the last quantity, which has all raws
#pragma unroll
      for (int h = 0; h < H; ++h) missing = missing || absent(line[h][Q - 1][0], line[h][Q - 1][1]);
      missing = __any_sync(0xffffffffU, missing);
      if (missing || !interior) {
        if (missing) {
          row_sums<R, stencil, true>(op, weights, readable, y, x, stage, warp * H, line, count);
        } else {
#pragma unroll
          for (int h = 0; h < H; ++h) {
            const int rows = min(y + h + R + 1, readable.hi[1]) - max(y + h - R, readable.lo[1]);
#pragma unroll
            for (int i = 0; i < 2; ++i)
              count[h][i] = x + i >= readable.lo[2] && x + i < readable.hi[2] ? rows : 0;
          }
        }
#pragma unroll
        for (int h = 0; h < H; ++h) {
          const float columns[2] = {static_cast<float>(count[h][0]),
                                    static_cast<float>(count[h][1])};
          float sums[2];
          lane_sums<R, Stencil::box>(columns, weights.axis[2], sums);
          count[h][0] = static_cast<int>(sums[0]);
          count[h][1] = static_cast<int>(sums[1]);
        }
      } else {
#pragma unroll
        for (int h = 0; h < H; ++h) count[h][0] = count[h][1] = side * side;
      }
      if (!wanted(s)) {
#pragma unroll
        for (int h = 0; h < H; ++h) count[h][0] = count[h][1] = 0;
      }
      clean_planes = missing ? 0 : clean_planes + 1;
    }
#pragma unroll
    for (int h = 0; h < H; ++h) {
#pragma unroll
      for (int q = 0; q < Q; ++q) lane_sums<R, stencil>(line[h][q], weights.axis[2], line[h][q]);
      if constexpr (stencil == Stencil::box)
        box_queue[h].template push<(phase + R) % 2 == 1>(line[h]);
      else
        weighted_queue[h].push(weights.axis[0], line[h]);
    }
    WindowState state[H];
    if constexpr (Op::missing) {
      constexpr std::uint32_t each = R == 1 ? 0x0101U : 0x01010101U;
#pragma unroll
      for (int h = 0; h < H; ++h)
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          state[h].count[i] = static_cast<float>((counts[h][i] & 0xffU) + count[h][i]);
          counts[h][i] = (counts[h][i] >> 8U) + static_cast<std::uint32_t>(count[h][i]) * each;
        }
    }
    if (z >= z_lo) {
      const bool clean = !Op::missing || clean_planes >= side;
      const bool whole = interior && clean && s - 2 * R >= first_plane && s < last_plane;
#pragma unroll
      for (int h = 0; h < H; ++h) {
        if (makes[h] && z >= box.lo[0]) {
          state[h].clean = clean;
          state[h].whole = whole;
          Own own[Op::own + 1][2];
#pragma unroll
          for (int k = 0; k < Op::own; ++k) load_pair(own_pair(slot, h, k), 0, 2, true, own[k]);
          op.emit(writes[h], {z, y + h, x, skip, end, full}, line[h], state[h], own, total);
        }
        op.next_plane(writes[h]);
      }
    }
    slot = slot == sweep_stages - 1 ? 0 : slot + 1;
  };
  fetch(0, 0);
  fetch(1, 1);
  for (int s = 0; s < steps; s += phases) {
    step.template operator()<0>(s);
    if constexpr (phases == 2)
      if (s + 1 < steps) step.template operator()<1>(s + 1);
  }
  if (parts) {
    total = block_sum(static_cast<int>(threadIdx.x), total);
    if (threadIdx.x == 0)
      parts[(std::int64_t{blockIdx.z} * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x] = total;
  }
}

/// Launch shape; depends on the boxes and the device.
template <int R, class Op>
struct Sweep {
  dim3 grid;
  Int3 origin;
  int planes;
  std::int64_t blocks() const { return std::int64_t{grid.x} * grid.y * grid.z; }
  static constexpr bool fits() { return true; }

  Sweep(const Box& domain, const Box& box) {
    const auto cut = [](int n, int size) { return (n + size - 1) / size; };
    constexpr int width = 64 - 4 * ((R + 1) / 2), height = sweep_warps * Op::template rows<R>;
    // Planes, rows and columns form the same pairs as in the whole domain.
    for (int a = 0; a < 3; ++a) origin[a] = box.lo[a] - (box.lo[a] - domain.lo[a]) % 2;
    const int nx = cut(box.hi[2] - origin[2], width), ny = cut(box.hi[1] - origin[1], height);
    const int nz = box.hi[0] - origin[0];
    planes = cut(stretch_planes(std::int64_t{nx} * ny, nz, 2 * R, Op::template blocks<R>), 2) * 2;
    grid = dim3(nx, ny, cut(nz, planes));
  }
};

/// Whether pairs of voxels from `x` on can be read with one access.
template <class T>
bool paired_rows(const View<T>& view, int x) {
  return aligned_runs(view, x, 2);
}

/// Runs the stencil over `box`. `parts` gets one partial sum per block; may be null.
template <int R, Stencil stencil, class Op>
void sweep(const Context& ctx, const Sweep<R, Op>& s, const Op& op, const Weights& weights,
           const Box& readable, const Box& box, typename Op::Sum* parts) {
  // All pairs lie inside, or outside.
  bool paired = (readable.lo[2] - s.origin[2]) % 2 == 0 && readable.size(2) % 2 == 0;
  for (int k = 0; k < Op::raws; ++k) paired = paired && paired_rows(op.view(k), s.origin[2]);
  constexpr int blocks = Op::template blocks<R>;
  const auto kernel = paired ? sweep_kernel<R, stencil, true, blocks, Op>
                             : sweep_kernel<R, stencil, false, blocks, Op>;
  constexpr int H = Op::template rows<R>, height = sweep_warps * H + 2 * R;
  constexpr int shared = sweep_stages * (Op::raws * height + sweep_warps * H * Op::own) * 64 *
                         static_cast<int>(sizeof(float));
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared));
  kernel<<<s.grid, sweep_threads, shared, stream_of(ctx)>>>(op, weights, readable, box, s.origin,
                                                            s.planes, parts);
  check(cudaGetLastError());
}

}  // namespace ffdp::device
