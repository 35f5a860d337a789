// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "ffdp/ops/common/sweep.cuh"

/// Tiles, threads, shared memory and launch of the pipeline of box_pipeline.cuh.
namespace ffdp::device {

inline constexpr int tile_columns = 32, step_planes = 2;
/// With fewer blocks than this (of 16 planes), smaller tiles are used, which make more blocks.
inline constexpr int few_blocks = 8;
inline constexpr int run_of_sums = 8;  ///< sums along x, or along y, that a thread makes at once

/// Sizes for tiles of `tile_rows` rows: 16, or 8, which need less shared memory.
template <int R, int tile_rows, class Op>
struct PipelineSizes {
  static_assert(R >= 3 && R <= 8);
  static constexpr int Q = Op::quantities, reach = R;
  static constexpr int tile_x = tile_columns, tile_y = tile_rows, planes = step_planes;
  static constexpr int run = run_of_sums, chunk = run_of_sums;
  static constexpr int side = 2 * R + 1, margin = (R + 3) / 4 * 4;
  static constexpr int columns = tile_x + 2 * R, width = tile_x + 2 * margin;
  static constexpr int height = tile_y + 2 * R;
  static constexpr int fours = (run + 2 * R + 3) / 4;                   // under a run
  static constexpr int pitch = 4 * (((tile_x - run) / 4 + fours) | 1);  // no bank conflicts
  static constexpr int items = planes * (tile_y / chunk) * columns;
  static constexpr int runs = tile_x * tile_y / run;
  static constexpr int pairs = tile_x / 2;  ///< of a row

  static constexpr int loaders = (items + 31) / 32 * 32;
  static constexpr int summers = Q * runs, emitters = tile_y * pairs;
  static constexpr int others = std::max(summers, emitters), threads = loaders + others;

  using Stage = float[Op::raws][planes][height][width];
  using Rows = float[planes][Q][tile_y][pitch];
  using Windows = float4[planes][Q][tile_y][tile_x / 4];
  using Ring = float4[run / 4][summers];
  using RowCounts = std::uint8_t[planes][tile_y][width + 4];
  using Counts = std::uint32_t[emitters];
  static constexpr int rest =
      2 * sizeof(Rows) + sizeof(Windows) + R * sizeof(Ring) +
      (Op::missing ? 2 * sizeof(RowCounts) + (planes + side) * sizeof(Counts) : 0);
  static constexpr int stages = tile_y == 16 && 2 * sizeof(Stage) + rest <= 222 * 1024 ? 2 : 1;
  static constexpr int shared = stages * sizeof(Stage) + rest;
};

/// The shared memory of a block.
template <class Sizes>
struct PipelineMemory {
  typename Sizes::Stage* stages;     ///< input as copied
  typename Sizes::Rows* rows;        ///< y sums, of two steps
  typename Sizes::Windows* windows;  ///< x, y and z sums
  typename Sizes::Ring* ring;        ///< x and y sums of the odd planes of the last R pairs
  typename Sizes::Counts *counts, *ring_of_counts;  ///< with missing values only
  typename Sizes::RowCounts* row_counts;            ///< likewise

  __device__ explicit PipelineMemory(float4* from)
      : stages(reinterpret_cast<typename Sizes::Stage*>(from)),
        rows(reinterpret_cast<typename Sizes::Rows*>(stages + Sizes::stages)),
        windows(reinterpret_cast<typename Sizes::Windows*>(rows + 2)),
        ring(reinterpret_cast<typename Sizes::Ring*>(windows + 1)),
        counts(reinterpret_cast<typename Sizes::Counts*>(ring + Sizes::reach)),
        ring_of_counts(counts + Sizes::planes),
        row_counts(reinterpret_cast<typename Sizes::RowCounts*>(ring_of_counts + Sizes::side)) {}
};

/// Values that are the same for all threads of a block.
template <int R, int tile_rows, class Op>
struct PipelineBlock {
  using Sizes = PipelineSizes<R, tile_rows, Op>;
  const Op& op;
  Box readable, box;
  PipelineMemory<Sizes> memory;
  int x0, y0, z_lo, z_hi;  ///< of the tile
  /// Number of batches of planes, from z_lo - R on. Step k loads batch k, sums batch k - 1 and
  /// hands over batch k - 2. A step has two halves, with a barrier before each. The first half
  /// reads the windows and one stage of shared memory. The second half writes the windows, and
  /// copies planes to a stage.
  int batches;

  __device__ PipelineBlock(const Op& what, const Box& from, const Box& to, const Int3& origin,
                           int stretch, float4* shared)
      : op(what),
        readable(from),
        box(to),
        memory(shared),
        x0(origin[2] + static_cast<int>(blockIdx.x) * Sizes::tile_x),
        y0(origin[1] + static_cast<int>(blockIdx.y) * Sizes::tile_y),
        z_lo(origin[0] + static_cast<int>(blockIdx.z) * stretch),
        z_hi(min(z_lo + stretch, box.hi[0])),
        batches(R + (z_hi - z_lo + Sizes::planes - 1) / Sizes::planes) {}

  __device__ bool wanted(int z) const {
    return z >= readable.lo[0] && z < readable.hi[0] && z < z_hi + R;
  }
};

/// Launch shape; depends on the boxes and the device.
template <int R, class Op>
struct BoxPipeline {
  using Large = PipelineSizes<R, 16, Op>;
  using Small = PipelineSizes<R, 8, Op>;
  int tile_y = 0;  ///< 0 if the device has too little shared memory
  dim3 grid;
  Int3 origin;
  int stretch = 0;
  std::int64_t blocks() const { return std::int64_t{grid.x} * grid.y * grid.z; }
  bool fits() const { return tile_y > 0; }

  BoxPipeline(const Box& domain, const Box& box) {
    int device = 0, shared = 0;
    check(cudaGetDevice(&device));
    check(cudaDeviceGetAttribute(&shared, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
    shared -= 256 * static_cast<int>(sizeof(typename Op::Sum));  // of block_sum
    const auto cut = [](int n, int size) { return (n + size - 1) / size; };
    // Pairs of planes, chunks and runs are the same as in the whole domain.
    const Int3 aligned{step_planes, run_of_sums, run_of_sums};
    for (int a = 0; a < 3; ++a) origin[a] = box.lo[a] - (box.lo[a] - domain.lo[a]) % aligned[a];
    const int nx = cut(box.hi[2] - origin[2], tile_columns), nz = box.hi[0] - origin[0];
    const auto high = [&](int rows) { return cut(box.hi[1] - origin[1], rows); };
    if (Large::shared <= shared && nx * high(16) * cut(nz, 16) >= few_blocks)
      tile_y = 16;
    else if (Small::shared <= shared)
      tile_y = 8;
    else
      return;
    const int ny = high(tile_y);
    stretch =
        cut(stretch_planes(std::int64_t{nx} * ny, nz, 2 * R + 2 * step_planes, tile_y == 8 ? 2 : 1),
            step_planes) *
        step_planes;
    grid = dim3(nx, ny, cut(nz, stretch));
  }
};

}  // namespace ffdp::device
