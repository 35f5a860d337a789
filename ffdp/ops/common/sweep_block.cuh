// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/common/sweep_sums.cuh"

namespace ffdp::device {

/// What a thread of a block of sweep_kernel knows: its voxels, and the planes in shared memory.
template <int R, class Op>
struct SweepBlock {
  static constexpr int H = Op::template rows<R>, margin = (R + 1) / 2;
  static constexpr int width = 64 - 4 * margin, side = 2 * R + 1;
  static constexpr int height = sweep_warps * H + 2 * R;
  static constexpr int stage_rows = Op::raws * height + sweep_warps * H * Op::own;
  using Stage = float[stage_rows][64];
  using Own = typename Op::Own;

  const Op& op;
  Box readable, box;
  Stage* stages;
  int lane, warp, first_x, x, y0, y, z_lo, z_hi;
  bool interior;
  int skip, end;
  bool full, makes[H];
  // Plane z_lo - R + s is added at step s.
  int first_plane, last_plane, steps;

  __device__ SweepBlock(const Op& what, const Box& from, const Box& to, const Int3& origin,
                        int planes, float4* shared)
      : op(what),
        readable(from),
        box(to),
        stages(reinterpret_cast<Stage*>(shared)),
        lane(static_cast<int>(threadIdx.x) % 32),
        warp(static_cast<int>(threadIdx.x) / 32),
        first_x(origin[2] + static_cast<int>(blockIdx.x) * width - 2 * margin),
        x(first_x + 2 * lane),
        y0(origin[1] + static_cast<int>(blockIdx.y) * (sweep_warps * H)),
        y(y0 + warp * H),
        z_lo(origin[0] + static_cast<int>(blockIdx.z) * planes),
        z_hi(min(z_lo + planes, box.hi[0])),
        interior(first_x >= readable.lo[2] && first_x + 64 <= readable.hi[2] &&
                 y - R >= readable.lo[1] && y + H + R <= readable.hi[1]),
        first_plane(max(readable.lo[0] - (z_lo - R), 0)),
        last_plane(min(z_hi + R, readable.hi[0]) - (z_lo - R)),
        steps(z_hi - z_lo + 2 * R) {
    // Only at the low face of a box a voxel is skipped.
    const bool serves = lane < margin || lane >= 32 - margin;
    end = serves ? 0 : min(sweep_x, box.hi[2] - x);
    skip = max(0, box.lo[2] - x);
    full = op.paired && skip == 0 && end == sweep_x;
#pragma unroll
    for (int h = 0; h < H; ++h) makes[h] = end > skip && y + h >= box.lo[1] && y + h < box.hi[1];
  }

  /// Where the row h of this thread begins.
  __device__ typename Op::Place place(int h) const {
    return op.place({z_lo, y + h, x, skip, end, full});
  }
  /// What the tile has of a plane: all of it in most tiles.
  __device__ bool there(int row, int i) const {
    const int at_y = y0 - R + row, at_x = x + i;
    return at_y >= readable.lo[1] && at_y < readable.hi[1] && at_x >= readable.lo[2] &&
           at_x < readable.hi[2];
  }
  __device__ bool wanted(int s) const { return s >= first_plane && s < last_plane; }
  /// Fills in what no copy reaches.
  __device__ void clear() const {
    for (int slot = 0; slot < sweep_stages; ++slot)
      for (int row = warp; row < Op::raws * height; row += sweep_warps)
        for (int i = 0; i < 2; ++i)
          if (!there(row % height, i)) stages[slot][row][2 * lane + i] = op.outside(row / height);
  }
  /// Counted from the row of the warp; its lanes read what they copied themselves.
  __device__ static constexpr int own_row(int h, int k) {
    return Op::raws * height + (h * Op::own + k) * sweep_warps;
  }
  __device__ Own* own_pair(unsigned int slot, int h, int k) const {
    return reinterpret_cast<Own*>(&stages[slot][warp + own_row(h, k)][2 * lane]);
  }
};

/// The copies of planes to shared memory, two ahead of the sums.
template <int R, bool paired, class Op>
struct SweepCopies {
  using Block = SweepBlock<R, Op>;
  using Own = typename Op::Own;
  static constexpr int H = Block::H, height = Block::height;

  const Block& block;
  unsigned int rows_there = 0;  ///< of the pair of this lane, a bit each
  unsigned int mine;            ///< where this lane writes, in shared memory
  const float* next[Op::raws];  ///< in the plane to be added next
  typename Op::Place reads[H];  ///< in the next plane of which own fields come

  __device__ explicit SweepCopies(const Block& of)
      : block(of),
        mine(static_cast<unsigned int>(
            __cvta_generic_to_shared(&of.stages[0][of.warp][2 * of.lane]))) {
#pragma unroll
    for (int h = 0; h < H; ++h) reads[h] = block.place(h);
#pragma unroll
    for (int i = 0; i * sweep_warps < height; ++i)
      if (block.warp + i * sweep_warps < height && block.there(block.warp + i * sweep_warps, 0))
        rows_there |= 1U << i;
#pragma unroll
    for (int k = 0; k < Op::raws; ++k)
      next[k] = block.op.view(k).row(block.z_lo - R, block.y0 - R + block.warp) + block.x;
  }

  /// Starts the copy of what step s adds.
  __device__ void fetch(int s, unsigned int slot) {
    constexpr unsigned int stage_bytes = sizeof(typename Block::Stage);
    const unsigned int to = mine + slot * stage_bytes;
    if (!block.wanted(s))
      stand_in(s, slot);
    else if constexpr (paired)
      copy_pairs(to);
    else
      copy_voxels(s, to);
#pragma unroll
    for (int k = 0; k < Op::raws; ++k) next[k] += block.op.view(k).stride_z;
    if constexpr (Op::own > 0) fetch_own(block.z_lo + s - 2 * R, slot, to);
    asm volatile("cp.async.commit_group;");
  }

 private:
  /// Beyond the domain: sums that wait take it for a plane.
  __device__ void stand_in(int s, unsigned int slot) const {
    if (s >= block.steps) return;
    for (int row = block.warp; row < Op::raws * height; row += sweep_warps)
      for (int i = 0; i < 2; ++i)
        block.stages[slot][row][2 * block.lane + i] = block.op.outside(row / height);
  }
  __device__ void copy_pairs(unsigned int to) const {
#pragma unroll
    for (int k = 0; k < Op::raws; ++k) {
      const View<const float> from = block.op.view(k);
      const float* at = next[k];
#pragma unroll
      for (int row = 0; row < height; row += sweep_warps) {
        if (rows_there & (1U << (row / sweep_warps)))
          copy_async<8>(to + (k * height + row) * 256, at);
        at += sweep_warps * from.stride_y;
      }
    }
  }
  __device__ void copy_voxels(int s, unsigned int to) const {
    const int z = block.z_lo - R + s;
#pragma unroll 1
    for (int row = block.warp; row < Op::raws * height; row += sweep_warps) {
      const float* at = block.op.view(row / height).row(z, block.y0 - R + row % height) + block.x;
#pragma unroll
      for (int i = 0; i < 2; ++i)
        if (block.there(row % height, i))
          copy_async<4>(to + (row - block.warp) * 256 + 4 * i, at + i);
    }
  }
  /// What Op::emit needs of the voxels of plane z alone.
  __device__ void fetch_own(int z, unsigned int slot, unsigned int to) {
    if (z < block.z_lo || z >= block.z_hi) return;
#pragma unroll
    for (int h = 0; h < H; ++h) {
#pragma unroll
      for (int k = 0; k < Op::own; ++k) {
        const Own* at = block.op.own_at(reads[h], k);
        if (!block.op.reads_own || !block.makes[h] || z < block.box.lo[0]) continue;
        if (block.full) {
          copy_async<2 * sizeof(Own)>(to + Block::own_row(h, k) * 256, at);
        } else {
#pragma unroll
          for (int i = 0; i < 2; ++i)
            if (i >= block.skip && i < block.end) block.own_pair(slot, h, k)[i] = at[i];
        }
      }
      block.op.next_plane(reads[h]);
    }
  }
};

/// The sums of a thread along its rows, over the planes that came.
template <int R, Stencil stencil, class Op>
struct SweepSums {
  using Block = SweepBlock<R, Op>;
  static constexpr int Q = Op::quantities, H = Block::H, side = Block::side;

  const Block& block;
  const Weights& weights;
  typename Op::Sum total{};
  typename Op::Place writes[H];  ///< in the plane to be handed over next
  PlaneQueue<stencil == Stencil::box ? R : 1, Q> box_queue[H];
  WeightedQueue<stencil == Stencil::weighted ? R : 1, Q> weighted_queue[H];
  std::uint32_t counts[H][2] = {};  ///< of the windows to come, 8 bits each
  int clean_planes = 0;             ///< so many in a row, up to the present one

  __device__ SweepSums(const Block& of, const Weights& with) : block(of), weights(with) {
#pragma unroll
    for (int h = 0; h < H; ++h) writes[h] = block.place(h);
  }

  /// Adds the plane of step s, in `slot`, and hands over the windows that it ends.
  template <int phase>
  __device__ void step(int s, int slot) {
    float line[H][Q][2];
    int count[H][2];
    row_sums<R, stencil, false>(block.op, weights, block.readable, block.y, block.x,
                                block.stages[slot], block.warp * H, line, count);
    if constexpr (Op::missing) count_plane(s, slot, line, count);
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
    if constexpr (Op::missing) count_windows(count, state);
    if (block.z_lo + s - 2 * R >= block.z_lo) emit(s, slot, line, state);
  }

 private:
  /// How many voxels of each window of the plane are there; makes the sums anew where some are not.
  __device__ void count_plane(int s, int slot, float (&line)[H][Q][2], int (&count)[H][2]) {
    const Box& readable = block.readable;
    const int x = block.x, y = block.y;
    bool missing = false;  // NaN shows in the sum of the last quantity, which has all raws
#pragma unroll
    for (int h = 0; h < H; ++h) missing = missing || absent(line[h][Q - 1][0], line[h][Q - 1][1]);
    missing = __any_sync(0xffffffffU, missing);
    if (missing || !block.interior) {
      if (missing) {
        row_sums<R, stencil, true>(block.op, weights, readable, y, x, block.stages[slot],
                                   block.warp * H, line, count);
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
        const float columns[2] = {static_cast<float>(count[h][0]), static_cast<float>(count[h][1])};
        float sums[2];
        lane_sums<R, Stencil::box>(columns, weights.axis[2], sums);
        count[h][0] = static_cast<int>(sums[0]);
        count[h][1] = static_cast<int>(sums[1]);
      }
    } else {
#pragma unroll
      for (int h = 0; h < H; ++h) count[h][0] = count[h][1] = side * side;
    }
    if (!block.wanted(s)) {
#pragma unroll
      for (int h = 0; h < H; ++h) count[h][0] = count[h][1] = 0;
    }
    clean_planes = missing ? 0 : clean_planes + 1;
  }
  /// How many voxels the windows have that end with this plane.
  __device__ void count_windows(const int (&count)[H][2], WindowState (&state)[H]) {
    constexpr std::uint32_t each = R == 1 ? 0x0101U : 0x01010101U;
#pragma unroll
    for (int h = 0; h < H; ++h)
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        state[h].count[i] = static_cast<float>((counts[h][i] & 0xffU) + count[h][i]);
        counts[h][i] = (counts[h][i] >> 8U) + static_cast<std::uint32_t>(count[h][i]) * each;
      }
  }
  __device__ void emit(int s, int slot, float (&line)[H][Q][2], WindowState (&state)[H]) {
    const int z = block.z_lo + s - 2 * R;
    const bool clean = !Op::missing || clean_planes >= side;
    const bool whole =
        block.interior && clean && s - 2 * R >= block.first_plane && s < block.last_plane;
#pragma unroll
    for (int h = 0; h < H; ++h) {
      if (block.makes[h] && z >= block.box.lo[0]) {
        state[h].clean = clean;
        state[h].whole = whole;
        typename Op::Own own[Op::own + 1][2];
#pragma unroll
        for (int k = 0; k < Op::own; ++k) load_pair(block.own_pair(slot, h, k), 0, 2, true, own[k]);
        block.op.emit(writes[h], {z, block.y + h, block.x, block.skip, block.end, block.full},
                      line[h], state[h], own, total);
      }
      block.op.next_plane(writes[h]);
    }
  }
};

}  // namespace ffdp::device
