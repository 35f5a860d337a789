// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/half.hpp"
#include "ffdp/core/view.hpp"
#include "ffdp/ops/common/march.cuh"

/// Separable stencils of one reach R <= 8 over several quantities at once, in one pass: y in
/// registers, x by shuffles, z in registers. Read once, write once.
namespace ffdp::device {

inline constexpr int sweep_warps = 8, sweep_threads = 32 * sweep_warps;
inline constexpr int sweep_x = 2;       ///< neighbours along x that a thread makes
inline constexpr int sweep_stages = 3;  ///< planes in shared memory: one in use, two on their way

/// How planes add up along z. Up to a reach of a few voxels, 2 R sums a voxel wait in registers.
/// Box sums of a larger reach run: the plane that leaves is made again from the input and taken off
/// in double, where what was added before cancels; constant cost.
template <class Op, int R, Stencil stencil>
inline constexpr bool sums_wait = stencil == Stencil::weighted || R * Op::quantities <= 10;

/// What a thread knows of the windows it hands over.
struct WindowState {
  bool whole;            ///< they lie inside along y and x, and nothing in them is missing
  bool clean;            ///< nothing in them is missing
  float count[sweep_x];  ///< voxels in them, where Op::missing
};

/// Whether either is NaN (std::isunordered is taken for always true on the device).
__device__ inline bool absent(float a, float b) { return !(a == a && b == b); }

/// Sums along x of one row: a lane holds the neighbours v; the lanes of `margin` on both sides get
/// nothing of value. Where a sum begins depends on the parity of x alone.
template <int R, Stencil stencil>
__device__ inline void lane_sums(const float (&v)[2], const float (&taps)[17], float (&out)[2]) {
  constexpr unsigned all = 0xffffffffU;
  constexpr int m = (R + 1) / 2;
  if constexpr (stencil == Stencil::box) {
    const float pair = v[0] + v[1];
    float common = pair;
#pragma unroll
    for (int k = 1; k < m; ++k)
      common += __shfl_up_sync(all, pair, k) + __shfl_down_sync(all, pair, k);
    const float below = __shfl_up_sync(all, v[1], m), above = __shfl_down_sync(all, v[0], m);
    if constexpr (R % 2 == 1) {
      out[0] = common + below;
      out[1] = common + above;
    } else {
      out[0] = common + (__shfl_up_sync(all, pair, m) + above);
      out[1] = common + (below + __shfl_down_sync(all, pair, m));
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

/// sums[q][h] += factor * quantities of the neighbours `value`.
template <class Op, int Q, int H>
__device__ inline void add_row(const Op& op, float factor, const float (&value)[2][Op::values],
                               int h, float (&sums)[Q][H][2]) {
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    float sum[Q];
#pragma unroll
    for (int q = 0; q < Q; ++q) sum[q] = sums[q][h][i];
    op.add(factor, value[i], sum);
#pragma unroll
    for (int q = 0; q < Q; ++q) sums[q][h][i] = sum[q];
  }
}

/// Sums along y about the rows y ... y + H - 1 of a plane, for every quantity of two neighbours,
/// from its rows y - R ... in shared memory. With `careful`, NaN and what lies outside `readable`
/// count nothing, and `count` the rest.
template <int R, Stencil stencil, bool careful, class Op, class Stage, int Q, int H>
__device__ inline void row_sums(const Op& op, const Weights& weights, const Box& readable, int y,
                                int x, const Stage& stage, int first_row, float (&sums)[Q][H][2],
                                int (&count)[H][2]) {
  float first[2][Op::values];
#pragma unroll
  for (int q = 0; q < Q; ++q)
#pragma unroll
    for (int h = 0; h < H; ++h) sums[q][h][0] = sums[q][h][1] = 0;
#pragma unroll
  for (int h = 0; h < H; ++h) count[h][0] = count[h][1] = 0;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  constexpr int unrolled = careful ? 1 : 2 * R + H;  // it must not cost the common case registers
#pragma unroll unrolled
  for (int j = 0; j < 2 * R + H; ++j) {
    float raw[2][Op::raws], value[2][Op::values];
#pragma unroll
    for (int k = 0; k < Op::raws; ++k) {
      const float2 two = *reinterpret_cast<const float2*>(&stage[k][first_row + j][2 * lane]);
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
        if (j >= h && j <= h + 2 * R) add_row(op, weights.axis[1][j - h], value, h, sums);
    } else if (H == 1 || (j > 0 && j <= 2 * R)) {
      add_row(op, 1.0F, value, 0, sums);  // of two rows, what they share
    } else if (j == 0) {
#pragma unroll
      for (int i = 0; i < 2; ++i)
#pragma unroll
        for (int k = 0; k < Op::values; ++k) first[i][k] = value[i][k];
    } else {
#pragma unroll
      for (int q = 0; q < Q; ++q)
#pragma unroll
        for (int i = 0; i < 2; ++i) sums[q][H - 1][i] = sums[q][0][i];
      add_row(op, 1.0F, value, H - 1, sums);
      add_row(op, 1.0F, first, 0, sums);
    }
  }
}

/// A warp makes H = Op::rows<R> rows of 64 - 4 margin voxels and marches along z, a lane two
/// neighbours of each row; the lanes at its ends serve the others. Planes stream through shared
/// memory, two ahead of the sums; what lies outside holds Op::outside there, whose quantities are
/// 0.
///
/// Op has `quantities`, `raws`, `values`, Sum; `missing`, whether NaN of raws 0 and 1 are to be
/// left out and counted; rows<R> (1 or 2) and blocks<R>, blocks for a multiprocessor; view(k) of
/// raw k; outside(k); paired, whether emit and ahead may have pairs with one access; prepare(raw,
/// value); add(factor, value, sums), sums += factor * quantities of one voxel; Ahead and ahead(z,
/// y, x, skip, end, full), what it loads before the sums are made; emit(z, y, x, skip, end, full,
/// sums[q][2], state, ahead, total) for the voxels [skip, end) from x on. Where a box sum begins
/// along y depends on the parity of y alone. `readable` is the part of the domain that may be read;
/// `origin` the first voxel of the grid.
template <int R, Stencil stencil, bool paired, int blocks, class Op>
__global__ void __launch_bounds__(sweep_threads, blocks)
    sweep_kernel(Op op, Weights weights, Box readable, Box box, int2 origin, int planes,
                 typename Op::Sum* parts) {
  constexpr int Q = Op::quantities, H = Op::template rows<R>, margin = (R + 1) / 2;
  constexpr int width = 64 - 4 * margin, side = 2 * R + 1, height = sweep_warps * H + 2 * R;
  constexpr bool wait = sums_wait<Op, R, stencil>;
  constexpr int steps_per_plane = wait ? 1 : 2;
  static_assert(!(Op::missing && wait && R > 2), "a count waits in 8 bits");
  using Stage = float[Op::raws][height][64];
  extern __shared__ float4 shared_planes[];
  Stage* const stages = reinterpret_cast<Stage*>(shared_planes);

  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int first_x = origin.x + static_cast<int>(blockIdx.x) * width - 2 * margin;
  const int x = first_x + 2 * lane;
  const int y0 = origin.y + static_cast<int>(blockIdx.y) * (sweep_warps * H), y = y0 + warp * H;
  const int z_lo = box.lo[0] + static_cast<int>(blockIdx.z) * planes;
  const int z_hi = min(z_lo + planes, box.hi[0]);
  const bool interior = first_x >= readable.lo[2] && first_x + 64 <= readable.hi[2] &&
                        y - R >= readable.lo[1] && y + H + R <= readable.hi[1];
  // Voxels [skip, end) of a pair are this lane's; only at the low face of a box one is skipped.
  const bool serves = lane < margin || lane >= 32 - margin || y >= box.hi[1];
  const int end = serves ? 0 : min(sweep_x, box.hi[2] - x), skip = max(0, box.lo[2] - x);
  const bool full = op.paired && skip == 0 && end == sweep_x;
  // What the tile has of a plane: all of it in most tiles.
  const bool whole_tile = paired && first_x >= readable.lo[2] && first_x + 64 <= readable.hi[2] &&
                          y0 - R >= readable.lo[1] && y0 - R + height <= readable.hi[1];
  const auto there = [&](int row, int i) {
    const int at_y = y0 - R + row, at_x = x + i;
    return at_y >= readable.lo[1] && at_y < readable.hi[1] && at_x >= readable.lo[2] &&
           at_x < readable.hi[2];
  };
  if (!whole_tile)
    for (int row = warp; row < sweep_stages * Op::raws * height; row += sweep_warps)
      for (int i = 0; i < 2; ++i)
        if (!there(row % height, i))
          (&stages[0][0][0][0])[row * 64 + 2 * lane + i] = op.outside(row / height % Op::raws);

  // Step s adds plane z, or takes off (at even steps of running sums) the one that leaves.
  const int steps = (z_hi - z_lo + 2 * R) * steps_per_plane;
  const auto takes_off = [&](int s) { return !wait && s % 2 == 0; };
  const auto plane_of = [&](int s) {
    return z_lo - R + s / steps_per_plane - (takes_off(s) ? side : 0);
  };
  const auto wanted = [&](int s) {
    const int z = plane_of(s);
    return s < steps && z >= max(z_lo - R, readable.lo[0]) && z < readable.hi[0];
  };
  constexpr unsigned int stage_bytes = sizeof(Stage);
  const auto mine = static_cast<unsigned int>(
      __cvta_generic_to_shared(&stages[0][0][0][0] + warp * 64 + 2 * lane));
  const float* start[Op::raws];
#pragma unroll
  for (int k = 0; k < Op::raws; ++k) start[k] = op.view(k).row(z_lo, y0 - R + warp) + x;
  const auto fetch = [&](int s, unsigned int slot) {
    const int z = plane_of(s);
    const unsigned int to = mine + slot * stage_bytes;
    if (!wanted(s)) {  // sums that wait take it for a plane
      if (wait && s < steps)
        for (int row = warp; row < Op::raws * height; row += sweep_warps)
          for (int i = 0; i < 2; ++i)
            stages[slot][row / height][row % height][2 * lane + i] = op.outside(row / height);
    } else if (whole_tile) {
#pragma unroll
      for (int k = 0; k < Op::raws; ++k) {
        const View<const float> from = op.view(k);
        const float* at = start[k] + (z - z_lo) * from.stride_z;
#pragma unroll
        for (int row = 0; row < height; row += sweep_warps) {
          if (row + sweep_warps <= height || warp + row < height)
            copy_async<8>(to + (k * height + row) * 256, at);
          at += sweep_warps * from.stride_y;
        }
      }
    } else {
#pragma unroll 1
      for (int row = warp; row < Op::raws * height; row += sweep_warps) {
        const float* at = op.view(row / height).row(z, y0 - R + row % height) + x;
#pragma unroll
        for (int i = 0; i < 2; ++i)
          if (there(row % height, i)) copy_async<4>(to + (row - warp) * 256 + 4 * i, at + i);
      }
    }
    asm volatile("cp.async.commit_group;");
  };

  typename Op::Sum total{};
  float waiting[wait ? 2 * R : 1][Q][H][2] = {};
  double running[wait ? 1 : Q][H][2] = {};
  unsigned int counts[H][2] = {};  // where sums wait: 2 R of 8 bits
  int clean_planes = 0;            // so many in a row, up to the present one
  fetch(0, 0);
  fetch(1, 1);
  for (int s = 0, slot = 0; s < steps; ++s, slot = slot == sweep_stages - 1 ? 0 : slot + 1) {
    asm volatile("cp.async.wait_group 1;");
    __syncthreads();
    fetch(s + 2, slot == 0 ? sweep_stages - 1 : slot - 1);
    const int z = plane_of(s);
    const bool emits = !takes_off(s) && z - R >= z_lo && end > skip;
    typename Op::Ahead ahead[H];
    if (emits) {
#pragma unroll
      for (int h = 0; h < H; ++h)
        if (y + h >= box.lo[1] && y + h < box.hi[1])
          ahead[h] = op.ahead(z - R, y + h, x, skip, end, full);
    }
    float line[Q][H][2];
    int count[H][2];
    if (wait || wanted(s)) {
      const Stage& stage = stages[slot];
      row_sums<R, stencil, false>(op, weights, readable, y, x, stage, warp * H, line, count);
      if constexpr (Op::missing) {
        bool missing = false;  // NaN shows in the sum of the last quantity, which has all raws
#pragma unroll
        for (int h = 0; h < H; ++h)
          missing = missing || absent(line[Q - 1][h][0], line[Q - 1][h][1]);
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
        if (!takes_off(s)) clean_planes = missing ? 0 : clean_planes + 1;
      }
#pragma unroll
      for (int q = 0; q < Q; ++q)
#pragma unroll
        for (int h = 0; h < H; ++h) lane_sums<R, stencil>(line[q][h], weights.axis[2], line[q][h]);
    }
    if constexpr (wait) {
#pragma unroll
      for (int h = 0; h < H; ++h)
#pragma unroll
        for (int i = 0; i < 2; ++i)
#pragma unroll
          for (int q = 0; q < Q; ++q) {
            const float sum = line[q][h][i];
            const auto weigh = [&](int k) {
              return stencil == Stencil::box ? sum : weights.axis[0][k] * sum;
            };
            line[q][h][i] = waiting[0][q][h][i] + weigh(2 * R);
#pragma unroll
            for (int k = 0; k + 1 < 2 * R; ++k)
              waiting[k][q][h][i] = waiting[k + 1][q][h][i] + weigh(2 * R - 1 - k);
            waiting[2 * R - 1][q][h][i] = weigh(0);
          }
    } else if (wanted(s)) {
#pragma unroll
      for (int h = 0; h < H; ++h)
#pragma unroll
        for (int i = 0; i < 2; ++i) {
#pragma unroll
          for (int q = 0; q < Q; ++q)
            running[q][h][i] += double{takes_off(s) ? -line[q][h][i] : line[q][h][i]};
          if constexpr (Op::missing) counts[h][i] += takes_off(s) ? -count[h][i] : count[h][i];
        }
    }
    WindowState state[H];
    if constexpr (Op::missing && wait) {
      constexpr unsigned int each = R == 1 ? 0x0101U : 0x01010101U;
#pragma unroll
      for (int h = 0; h < H; ++h)
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          state[h].count[i] = static_cast<float>((counts[h][i] & 0xffU) + count[h][i]);
          counts[h][i] = (counts[h][i] >> 8U) + static_cast<unsigned int>(count[h][i]) * each;
        }
    }
    if (!emits) continue;
#pragma unroll
    for (int h = 0; h < H; ++h) {
      if (y + h < box.lo[1] || y + h >= box.hi[1]) continue;
      state[h].clean = !Op::missing || clean_planes >= side;
      state[h].whole = interior && state[h].clean;
      float sums[Q][2];
#pragma unroll
      for (int i = 0; i < 2; ++i) {
#pragma unroll
        for (int q = 0; q < Q; ++q)
          sums[q][i] = wait ? line[q][h][i] : static_cast<float>(running[q][h][i]);
        if constexpr (Op::missing && !wait) state[h].count[i] = static_cast<float>(counts[h][i]);
      }
      op.emit(z - R, y + h, x, skip, end, full, sums, state[h], ahead[h], total);
    }
  }
  if (parts) {
    total = block_sum(static_cast<int>(threadIdx.x), total);
    if (threadIdx.x == 0)
      parts[(std::int64_t{blockIdx.z} * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x] = total;
  }
}

/// Nothing to load ahead.
struct NothingAhead {};

/// Launch shape; depends on the boxes alone.
template <int R, class Op>
struct Sweep {
  dim3 grid;
  int2 origin;
  int planes;
  std::int64_t blocks() const { return std::int64_t{grid.x} * grid.y * grid.z; }

  Sweep(const Box& domain, const Box& box) {
    const auto cut = [](int n, int size) { return (n + size - 1) / size; };
    constexpr int width = 64 - 4 * ((R + 1) / 2), height = sweep_warps * Op::template rows<R>;
    // Rows and columns pair up as in the whole domain.
    origin = make_int2(box.lo[2] - (box.lo[2] - domain.lo[2]) % 2,
                       box.lo[1] - (box.lo[1] - domain.lo[1]) % 2);
    const int nx = cut(box.hi[2] - origin.x, width), ny = cut(box.hi[1] - origin.y, height);
    // Long stretches waste little on their halo; about 2000 blocks fill a GPU evenly.
    const std::int64_t all = std::int64_t{nx} * ny * box.size(0);
    planes = static_cast<int>(std::clamp<std::int64_t>(all / 2048, 16, 128));
    int stretches = cut(box.size(0), planes);
    planes = cut(box.size(0), stretches);
    stretches = cut(box.size(0), planes);
    grid = dim3(nx, ny, stretches);
  }
};

/// Whether pairs of voxels from `x` on may be had with one access.
template <class T>
bool paired_rows(const View<T>& view, int x) {
  return reinterpret_cast<std::uintptr_t>(view.data) % (2 * sizeof(T)) == 0 &&
         view.stride_z % 2 == 0 && view.stride_y % 2 == 0 && (x - view.stored.lo[2]) % 2 == 0;
}

/// Runs the stencil over `box`; `parts` holds a partial sum a block, or is null.
template <int R, Stencil stencil, class Op>
void sweep(const Context& ctx, const Sweep<R, Op>& s, const Op& op, const Weights& weights,
           const Box& readable, const Box& box, typename Op::Sum* parts) {
  bool paired = true;
  for (int k = 0; k < Op::raws; ++k) paired = paired && paired_rows(op.view(k), s.origin.x);
  constexpr int blocks = Op::template blocks<R>;
  const auto kernel = paired ? sweep_kernel<R, stencil, true, blocks, Op>
                             : sweep_kernel<R, stencil, false, blocks, Op>;
  constexpr int height = sweep_warps * Op::template rows<R> + 2 * R;
  constexpr int shared = sweep_stages * Op::raws * height * 64 * static_cast<int>(sizeof(float));
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared));
  kernel<<<s.grid, sweep_threads, shared, stream_of(ctx)>>>(op, weights, readable, box, s.origin,
                                                            s.planes, parts);
  check(cudaGetLastError());
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
    // In assembler: the compiler would fold it with the single stores below into two.
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

}  // namespace ffdp::device
