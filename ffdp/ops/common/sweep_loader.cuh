// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/common/sweep_shape.cuh"

namespace ffdp::device {

/// Sets the voxels outside, in all stages. No copy reaches them.
template <int R, class Op>
__device__ inline void clear_outside(const SweepBlock<R, Op>& block) {
  using Sizes = SweepSizes<R, Op>;
  for (int slot = 0; slot < sweep_stages; ++slot)
    for (int row = block.warp; row < Sizes::raw_rows; row += sweep_warps)
      for (int i = 0; i < 2; ++i)
        if (!block.there(row % Sizes::height, i))
          block.stages[slot][row][2 * block.lane + i] = block.op.outside(row / Sizes::height);
}

/// Copies planes to shared memory. A lane copies a pair of voxels of every eighth row.
template <int R, bool paired, class Op>
struct SweepLoader {
  using Block = SweepBlock<R, Op>;
  using Sizes = typename Block::Sizes;
  using Own = typename Op::Own;
  static constexpr int H = Sizes::H, height = Sizes::height, row_bytes = Sizes::row_bytes;

  const Block& block;
  const bool (&makes)[H];
  typename Op::Place (&reads)[H];  ///< where own fields are, in the plane to be copied next
  const float* (&next)[Op::raws];  ///< first row of the warp, in the plane to be copied next
  unsigned int rows_there = 0;     ///< which rows are readable, a bit each
  int first_plane, last_plane;     ///< planes of the steps [first_plane, last_plane) are readable
  unsigned int mine;               ///< address of the first pair of the lane in the first stage

  __device__ SweepLoader(const Block& of, const bool (&made)[H], typename Op::Place (&own)[H],
                         const float* (&raw)[Op::raws])
      : block(of), makes(made), reads(own), next(raw) {
#pragma unroll
    for (int i = 0; i * sweep_warps < height; ++i)
      if (block.warp + i * sweep_warps < height && block.there(block.warp + i * sweep_warps, 0))
        rows_there |= 1U << i;
    first_plane = max(block.readable.lo[0] - (block.z_lo - R), 0);
    last_plane = min(block.z_hi + R, block.readable.hi[0]) - (block.z_lo - R);
    mine = static_cast<unsigned int>(
        __cvta_generic_to_shared(&block.stages[0][block.warp][2 * block.lane]));
  }

  __device__ bool wanted(int s) const { return s >= first_plane && s < last_plane; }

  /// Starts the copies for step s: of the plane that it adds and, if it emits, of the own fields.
  __device__ void fetch(int s, unsigned int slot) const {
    const unsigned int to = mine + slot * static_cast<unsigned int>(sizeof(typename Sizes::Stage));
    if (!wanted(s)) {
      if (s < block.steps) fill(slot);
    } else if constexpr (paired) {
      copy_pairs(to);
    } else {
      copy_singles(s, to);
    }
#pragma unroll
    for (int k = 0; k < Op::raws; ++k) next[k] += block.op.view(k).stride_z;
    const int z = block.z_lo + s - 2 * R;
    if (Op::own > 0 && z >= block.z_lo && z < block.z_hi) copy_own(z, slot, to);
    asm volatile("cp.async.commit_group;");
  }

  /// Row of an own field, relative to the row of the warp.
  __device__ static constexpr int own_row(int h, int k) {
    return Sizes::raw_rows + (h * Op::own + k) * sweep_warps;
  }
  /// A lane reads what it has copied itself.
  __device__ Own* own_pair(unsigned int slot, int h, int k) const {
    return reinterpret_cast<Own*>(&block.stages[slot][block.warp + own_row(h, k)][2 * block.lane]);
  }

 private:
  /// Makes a plane outside; sums that wait take it for a plane.
  __device__ void fill(unsigned int slot) const {
    for (int row = block.warp; row < Sizes::raw_rows; row += sweep_warps)
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
          copy_async<8>(to + (k * height + row) * row_bytes, at);
        at += sweep_warps * from.stride_y;
      }
    }
  }

  /// For pairs that one access cannot read.
  __device__ void copy_singles(int s, unsigned int to) const {
    const int z = block.z_lo - R + s;
#pragma unroll 1
    for (int row = block.warp; row < Sizes::raw_rows; row += sweep_warps) {
      const float* at = block.op.view(row / height).row(z, block.y0 - R + row % height) + block.x;
#pragma unroll
      for (int i = 0; i < 2; ++i)
        if (block.there(row % height, i))
          copy_async<4>(to + (row - block.warp) * row_bytes + 4 * i, at + i);
    }
  }

  __device__ void copy_own(int z, unsigned int slot, unsigned int to) const {
    const Op& op = block.op;
#pragma unroll
    for (int h = 0; h < H; ++h) {
#pragma unroll
      for (int k = 0; k < Op::own; ++k) {
        const Own* at = op.own_at(reads[h], k);
        if (!op.reads_own || !makes[h] || z < block.box.lo[0]) continue;
        if (block.full) {
          copy_async<2 * sizeof(Own)>(to + own_row(h, k) * row_bytes, at);
        } else {
#pragma unroll
          for (int i = 0; i < 2; ++i)
            if (i >= block.skip && i < block.end) own_pair(slot, h, k)[i] = at[i];
        }
      }
      op.next_plane(reads[h]);
    }
  }
};

}  // namespace ffdp::device
