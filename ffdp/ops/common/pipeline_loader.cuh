// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "ffdp/ops/common/pipeline_shape.cuh"
#include "ffdp/ops/common/pipeline_sums.cuh"

namespace ffdp::device {

/// copy_async, only if `wanted`, without a branch. `past_l1`: copies of sixteen bytes bypass the L1
/// cache.
template <int bytes, bool past_l1>
__device__ inline void copy_async_if(std::uint32_t wanted, float* to, const float* from) {
  const auto at = static_cast<unsigned int>(__cvta_generic_to_shared(to));
  if constexpr (past_l1 && bytes == 16)
    asm volatile(
        "{ .reg .pred p; setp.ne.u32 p, %2, 0; @p cp.async.cg.shared.global [%0], [%1], 16; }" ::
            "r"(at),
        "l"(from), "r"(wanted));
  else
    asm volatile(
        "{ .reg .pred p; setp.ne.u32 p, %3, 0; @p cp.async.ca.shared.global [%0], [%1], %2; }" ::
            "r"(at),
        "l"(from), "n"(bytes), "r"(wanted));
}

/// The first task: copies the input to shared memory (two steps ahead, if it fits) and makes the
/// sums along y of each quantity, in chunks of a column.
template <int R, int tile_rows, int bytes, class Op>
struct PipelineLoader {
  using Block = PipelineBlock<R, tile_rows, Op>;
  using Sizes = typename Block::Sizes;
  static constexpr int Q = Sizes::Q, P = Sizes::planes, side = Sizes::side;
  // A thread copies pieces of rows, the same ones of every plane.
  static constexpr int floats = bytes / 4, pieces = Sizes::width / floats;
  static constexpr int at_once = Sizes::loaders / pieces;
  static constexpr int passes = (Sizes::height + at_once - 1) / at_once;
  // A thread sums a chunk of a column of a plane.
  static constexpr int chunk = Sizes::chunk, high = chunk + 2 * R;

  const Block& block;
  int thread, piece, first_row;
  std::uint32_t mine = 0;  ///< one bit per pass: whether it copies
  const float* next[Op::raws];
  bool works;
  int c, p, top;            ///< column, plane and first row of its chunk
  std::uint32_t there = 0;  ///< one bit per row: whether it is readable

  __device__ PipelineLoader(const Block& of, int number)
      : block(of),
        thread(number),
        piece(number % pieces),
        first_row(number / pieces),
        works(number < Sizes::items) {
    const Box& readable = block.readable;
    const int at_x = block.x0 - Sizes::margin + piece * floats, at_y = block.y0 - R + first_row;
    if (first_row < at_once && at_x >= readable.lo[2] && at_x < readable.hi[2])
      for (int i = 0; i < passes; ++i)
        if (first_row + i * at_once < Sizes::height && at_y + i * at_once >= readable.lo[1] &&
            at_y + i * at_once < readable.hi[1])
          mine |= 1U << i;
#pragma unroll
    for (int k = 0; k < Op::raws; ++k) next[k] = block.op.view(k).row(block.z_lo - R, at_y) + at_x;
    const int item = works ? thread : 0;
    c = item % Sizes::columns;
    p = item / Sizes::columns % P;
    top = item / Sizes::columns / P * chunk;
  }

  /// Starts the copy of a batch.
  __device__ void copy(int batch) {
#pragma unroll
    for (int plane = 0; plane < P; ++plane) {
      const bool is_there = block.wanted(block.z_lo - R + P * batch + plane);
#pragma unroll
      for (int k = 0; k < Op::raws; ++k) {
        const View<const float> from = block.op.view(k);
        float* const to =
            &block.memory.stages[batch % Sizes::stages][k][plane][first_row][piece * floats];
        constexpr int pass = at_once * Sizes::width;
        if (is_there) {
          const float* at = next[k];
#pragma unroll
          for (int i = 0; i < passes; ++i) {
            copy_async_if<bytes, (R > 4)>(mine & (1U << i), to + i * pass, at);
            at += at_once * from.stride_y;
          }
        } else {
          for (int i = 0; i < passes; ++i)
            if (mine & (1U << i))
              for (int j = 0; j < floats; ++j) to[i * pass + j] = block.op.outside(k);
        }
        next[k] += from.stride_z;
      }
    }
    asm volatile("cp.async.commit_group;");
  }
  /// What no copy reaches is outside in every plane.
  __device__ void clear() const {
    constexpr int of_raw = P * Sizes::height * Sizes::width;
    for (int i = thread; i < Sizes::stages * Op::raws * of_raw; i += Sizes::loaders)
      (&block.memory.stages[0][0][0][0][0])[i] = block.op.outside(i / of_raw % Op::raws);
  }
  /// Waits for the next batch.
  __device__ static void landed() {
    asm volatile("cp.async.wait_group %0;" ::"n"(Sizes::stages - 1));
  }

  /// Which of its rows are readable.
  __device__ void find_rows() {
    const Box& readable = block.readable;
    const int x = block.x0 - R + c;
    for (int j = 0; j < high; ++j) {
      const int y = block.y0 + top - R + j;
      if (y >= readable.lo[1] && y < readable.hi[1] && x >= readable.lo[2] && x < readable.hi[2])
        there |= 1U << j;
    }
  }
  /// The values of a column of a batch.
  __device__ void read(int k, float (&value)[high][Op::values]) const {
#pragma unroll
    for (int j = 0; j < high; ++j) {
      float raw[Op::raws];
#pragma unroll
      for (int i = 0; i < Op::raws; ++i)
        raw[i] = block.memory.stages[k % Sizes::stages][i][p][top + j][c + Sizes::margin - R];
      block.op.prepare(raw, value[j]);
    }
  }
  /// Makes 0 of missing values and counts the others by windows of the column.
  __device__ void count(int k, float (&value)[high][Op::values]) const {
    std::uint32_t present = block.wanted(block.z_lo - R + P * k + p) ? there : 0;
    float seen = 0;
#pragma unroll
    for (int j = 0; j < high; ++j) seen = fmaf(value[j][0], value[j][1], seen);
    if (absent(seen, seen)) {
#pragma unroll
      for (int j = 0; j < high; ++j)
        if (absent(value[j][0], value[j][1])) {
          value[j][0] = value[j][1] = 0;
          present &= ~(1U << j);
        }
    }
    if (works)
#pragma unroll
      for (int j = 0; j < chunk; ++j)
        block.memory.row_counts[k & 1][p][top + j][c] =
            static_cast<std::uint8_t>(__popc((present >> j) & ((1U << side) - 1)));
  }
  /// Makes the sums along y of the quantities [first, last).
  template <int first, int last>
  __device__ void sum(int k, const float (&value)[high][Op::values]) const {
    auto& to = block.memory.rows[k & 1][p];
#pragma unroll
    for (int q = first; q < last; ++q)
      window_sums<side, chunk>(
          [&](int j, float s) {
            float sums[Q] = {};
            sums[q] = s;
            block.op.add(1.0F, value[j], sums);
            return sums[q];
          },
          [&](int j, float s) { to[q][top + j][c] = s; });
  }

  __device__ void run() {
    clear();
    __syncthreads();
    for (int k = 0; k < Sizes::stages; ++k) copy(k);
    if constexpr (Op::missing) find_rows();
    landed();
    constexpr int first_half = (Q + 1) / 2;  // quantities: both halves take as long
    for (int k = 0; k < block.batches + 2; ++k) {
      __syncthreads();
      float value[high][Op::values];
      if (k < block.batches) {
        read(k, value);
        if constexpr (Op::missing) count(k, value);
        if (works) sum<0, first_half>(k, value);
      }
      __syncthreads();
      if (k < block.batches) {
        copy(k + Sizes::stages);
        if (works) sum<first_half, Q>(k, value);
        landed();
      }
    }
  }
};

}  // namespace ffdp::device
