// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "ffdp/ops/common/pipeline_shape.cuh"
#include "ffdp/ops/common/pipeline_sums.cuh"

namespace ffdp::device {

/// The third task: passes the windows of a pair of voxels of each plane to Op::emit, and reads the
/// own fields of these voxels for the next step.
template <int R, int tile_rows, class Op>
struct PipelineEmitter {
  using Block = PipelineBlock<R, tile_rows, Op>;
  using Sizes = typename Block::Sizes;
  static constexpr int Q = Sizes::Q, P = Sizes::planes, side = Sizes::side;

  const Block& block;
  int column, row, pair, x, y;
  bool interior;  ///< no window of the tile is cut by an edge along x or y
  int skip, end;
  bool full, makes;
  typename Op::Place reads, writes;
  typename Op::Own own[P][Op::own + 1][2];
  typename Op::Sum& total;

  __device__ PipelineEmitter(const Block& of, int number, typename Op::Sum& sum)
      : block(of),
        column(number),
        row(number / Sizes::pairs),
        pair(number % Sizes::pairs),
        x(of.x0 + 2 * pair),
        y(of.y0 + row),
        interior(of.x0 - R >= of.readable.lo[2] && of.x0 + Sizes::tile_x + R <= of.readable.hi[2] &&
                 of.y0 - R >= of.readable.lo[1] && of.y0 + Sizes::tile_y + R <= of.readable.hi[1]),
        skip(min(max(0, of.box.lo[2] - x), 2)),
        end(min(2, of.box.hi[2] - x)),
        full(of.op.paired && skip == 0 && end == 2),
        makes(number < Sizes::emitters && end > skip && y >= of.box.lo[1] && y < of.box.hi[1]),
        reads(of.op.place({of.z_lo, y, x, skip, end, full})),
        writes(reads),
        total(sum) {}

  __device__ void emit(int z, int p, std::uint32_t count, bool is_full, bool is_whole) {
    float sums[Q][2];
#pragma unroll
    for (int q = 0; q < Q; ++q) {
      const float2 two = reinterpret_cast<const float2*>(
          &(*block.memory.windows)[p][q][row][pair / 2 ^ (row & 7)])[pair % 2];
      sums[q][0] = two.x;
      sums[q][1] = two.y;
    }
    const float low = static_cast<float>(count & 0xffffU);
    const float high = static_cast<float>(count >> 16U);
    block.op.emit(writes, {z + p, y, x, skip, end, is_full}, sums,
                  {is_whole, is_whole || !Op::missing, {low, high}}, own[p], total);
  }
  /// Emits the windows centred in the planes from z on.
  __device__ void emit_all(int z) {
    std::uint32_t count[P] = {};
    bool whole = interior && z - R >= block.readable.lo[0] && z + P - 1 + R < block.readable.hi[0];
    if constexpr (Op::missing) {
      whole = true;
#pragma unroll
      for (int p = 0; p < P; ++p) {
        count[p] = block.memory.counts[p][column];
        whole = whole && count[p] == side * side * side * 0x10001U;
      }
    }
    if (whole && full && z >= block.box.lo[0] && z + P <= block.z_hi) {
#pragma unroll
      for (int p = 0; p < P; ++p) {
        emit(z, p, count[p], true, true);
        block.op.next_plane(writes);
      }
    } else {
#pragma unroll
      for (int p = 0; p < P; ++p) {
        if (z + p >= block.box.lo[0] && z + p < block.z_hi) emit(z, p, count[p], full, false);
        block.op.next_plane(writes);
      }
    }
  }
  __device__ void read(int p, int lo, int hi, bool is_full) {
#pragma unroll
    for (int f = 0; f < Op::own; ++f)
      load_pair(block.op.own_at(reads, f), lo, hi, is_full, own[p][f]);
  }
  /// Reads the own fields for the planes from z on. All loads are in one branch, because loads in
  /// separate branches would wait for each other.
  __device__ void read_all(int z) {
    if (full && z >= block.box.lo[0] && z + P <= block.z_hi) {
#pragma unroll
      for (int p = 0; p < P; ++p) {
        read(p, 0, 2, true);
        block.op.next_plane(reads);
      }
    } else {
#pragma unroll
      for (int p = 0; p < P; ++p) {
        if (z + p >= block.box.lo[0] && z + p < block.z_hi) read(p, skip, end, full);
        block.op.next_plane(reads);
      }
    }
  }
  __device__ void step(int k) {
    const int z = block.z_lo + P * (k - 2 - R);  // windows are centred R planes before their last
    if (makes && z >= block.z_lo) emit_all(z);
    if (Op::own > 0 && block.op.reads_own && makes && z + P >= block.z_lo) read_all(z + P);
  }
};

/// The second task: makes, for one quantity, the sums along x of the sums along y, run by run of a
/// row, and the sums along z of those. A window is the last R pairs of planes plus one plane: the
/// next even one, or the odd one before them, which waits in a ring. Counts of voxels are integers.
template <int R, int tile_rows, class Op>
struct PipelineSummer {
  using Block = PipelineBlock<R, tile_rows, Op>;
  using Sizes = typename Block::Sizes;
  static constexpr int P = Sizes::planes, side = Sizes::side, run = Sizes::run;
  static constexpr int across = Sizes::tile_x / run;

  const Block& block;
  int column, q, at_row, at_run;
  PairSums<R, run> queue;
  int slot = 0;
  std::uint32_t counted = 0;  ///< voxels in the last windows of its pair, 16 bits each
  int count_slot = 0;

  /// Eight lanes have eight rows: no bank conflicts.
  __device__ PipelineSummer(const Block& of, int number)
      : block(of), column(number), q(number / Sizes::runs) {
    const int r = number % Sizes::runs;
    at_row = r / (8 * across) * 8 + r % 8;
    at_run = r / 8 % across;
    for (int i = 0; i < R; ++i)
      for (int j = 0; j < run / 4; ++j) block.memory.ring[i][j][column] = make_float4(0, 0, 0, 0);
    if (counts())
      for (int i = 0; i < side; ++i) block.memory.ring_of_counts[i][column] = 0;
  }
  __device__ bool counts() const { return Op::missing && column < Sizes::emitters; }

  /// The sums along x of a run.
  __device__ static void line(const float* from, float (&sums)[run]) {
    float v[4 * Sizes::fours];
#pragma unroll
    for (int i = 0; i < Sizes::fours; ++i)
      load_four(reinterpret_cast<const float4*>(from)[i], &v[4 * i]);
    window_sums<side, run>([&](int i, float s) { return s + v[i]; },
                           [&](int i, float s) { sums[i] = s; });
  }
  __device__ void put(int p, const float (&a)[run], const float (&b)[run]) const {
#pragma unroll
    for (int i = 0; i < run; i += 4)
      (*block.memory.windows)[p][q][at_row][(at_run * (run / 4) + i / 4) ^ (at_row & 7)] =
          make_float4(a[i] + b[i], a[i + 1] + b[i + 1], a[i + 2] + b[i + 2], a[i + 3] + b[i + 3]);
  }
  template <int phase>
  __device__ void sum(int k) {
    const auto& from = block.memory.rows[k & 1];
    float even[run], odd[run], waited[run];
    line(&from[0][q][at_row][run * at_run], even);
    put(0, even, queue.pairs);
    line(&from[1][q][at_row][run * at_run], odd);
    queue.template push<phase>(even, odd);
#pragma unroll
    for (int i = 0; i < run; i += 4) {
      float4& waits = block.memory.ring[slot][i / 4][column];
      load_four(waits, &waited[i]);
      waits = make_float4(odd[i], odd[i + 1], odd[i + 2], odd[i + 3]);
    }
    put(1, waited, queue.pairs);
    slot = slot == R - 1 ? 0 : slot + 1;
  }
  __device__ void count(int k) {
    const int row = column / Sizes::pairs, pair = column % Sizes::pairs;
#pragma unroll
    for (int p = 0; p < P; ++p) {
      const std::uint32_t now = count_two<R>(block.memory.row_counts[k & 1][p][row], 2 * pair);
      std::uint32_t& leaves = block.memory.ring_of_counts[count_slot][column];
      counted += now - leaves;
      leaves = now;
      block.memory.counts[p][column] = counted;
      count_slot = count_slot == side - 1 ? 0 : count_slot + 1;
    }
  }

  /// Step k + 1, after the emitter's half; `phase` is k % 4.
  template <int phase>
  __device__ void step(int k, PipelineEmitter<R, tile_rows, Op>& emitter) {
    if (k > block.batches) return;
    __syncthreads();
    emitter.step(k + 1);
    __syncthreads();
    if (k >= block.batches) return;
    sum<phase>(k);
    if (counts()) count(k);
  }
  __device__ void run_all(PipelineEmitter<R, tile_rows, Op>& emitter) {
    __syncthreads();  // step 0
    __syncthreads();
    for (int k = 0; k <= block.batches; k += 4) {
      step<0>(k, emitter);
      step<1>(k + 1, emitter);
      step<2>(k + 2, emitter);
      step<3>(k + 3, emitter);
    }
  }
};

}  // namespace ffdp::device
