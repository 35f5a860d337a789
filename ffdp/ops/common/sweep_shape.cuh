// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "ffdp/ops/common/sweep_sums.cuh"

/// Tiles, shared memory, launch and threads of the kernel of sweep.cuh.
///
/// The structs of this kernel hold numbers and references. Its arrays are local variables. As
/// members of the structs, they cost up to 6 % more instructions and spilled registers (nvcc 13.0).
namespace ffdp::device {

/// Sizes of the tile of a block, and of a plane in shared memory.
template <int R, class Op>
struct SweepSizes {
  static constexpr int Q = Op::quantities, H = Op::template rows<R>, side = 2 * R + 1;
  static constexpr int margin = (R + 1) / 2;  ///< lanes at each end of a warp that make no voxels
  static constexpr int columns = 64, row_bytes = columns * static_cast<int>(sizeof(float));
  static constexpr int tile_x = columns - 4 * margin, tile_y = sweep_warps * H;
  static constexpr int height = tile_y + 2 * R;       ///< rows that are read of a raw field
  static constexpr int raw_rows = Op::raws * height;  ///< of all raw fields; own fields follow
  using Stage = float[raw_rows + tile_y * Op::own][columns];
};

/// What a thread makes. It does not change while the block marches.
template <int R, class Op>
struct SweepBlock {
  using Sizes = SweepSizes<R, Op>;
  const Op& op;
  const Box &readable, &box;
  typename Sizes::Stage* stages;
  int lane, warp;
  int x;           ///< first neighbour of the lane
  int y0, y;       ///< first row of the block, and of the warp
  int z_lo, z_hi;  ///< planes that the block makes
  int steps;       ///< plane z_lo - R + s is added at step s
  bool interior;   ///< no window of the warp is cut by an edge along x or y
  int end, skip;   ///< of the two neighbours, those numbered [skip, end) are made
  bool full;       ///< both, at addresses that allow one access

  __device__ SweepBlock(const Op& what, const Box& from, const Box& to, const Int3& origin,
                        int planes, float4* shared)
      : op(what),
        readable(from),
        box(to),
        stages(reinterpret_cast<typename Sizes::Stage*>(shared)) {
    constexpr int H = Sizes::H, margin = Sizes::margin;
    lane = static_cast<int>(threadIdx.x) % 32;
    warp = static_cast<int>(threadIdx.x) / 32;
    const int first_x = origin[2] + static_cast<int>(blockIdx.x) * Sizes::tile_x - 2 * margin;
    x = first_x + 2 * lane;
    y0 = origin[1] + static_cast<int>(blockIdx.y) * Sizes::tile_y;
    y = y0 + warp * H;
    z_lo = origin[0] + static_cast<int>(blockIdx.z) * planes;
    z_hi = min(z_lo + planes, box.hi[0]);
    steps = z_hi - z_lo + 2 * R;
    interior = first_x >= readable.lo[2] && first_x + Sizes::columns <= readable.hi[2] &&
               y - R >= readable.lo[1] && y + H + R <= readable.hi[1];
    // A voxel is skipped only at the low face of a box.
    const bool serves = lane < margin || lane >= 32 - margin;
    end = serves ? 0 : min(sweep_x, box.hi[2] - x);
    skip = max(0, box.lo[2] - x);
    full = op.paired && skip == 0 && end == sweep_x;
  }

  /// What the lane makes of row h of the warp.
  __device__ Neighbours neighbours(int z, int h) const { return {z, y + h, x, skip, end, full}; }
  /// Whether neighbour i (0 or 1) of the lane is readable in a row of the tile.
  __device__ bool there(int row, int i) const {
    const int at_y = y0 - R + row, at_x = x + i;
    return at_y >= readable.lo[1] && at_y < readable.hi[1] && at_x >= readable.lo[2] &&
           at_x < readable.hi[2];
  }
};

/// For each row of a warp of threads: whether the lane makes voxels of it, and where it reads and
/// writes them in plane z_lo.
template <int R, class Op, int H>
__device__ inline void place_rows(const SweepBlock<R, Op>& block, bool (&makes)[H],
                                  typename Op::Place (&reads)[H], typename Op::Place (&writes)[H]) {
  const Box& box = block.box;
#pragma unroll
  for (int h = 0; h < H; ++h) {
    makes[h] = block.end > block.skip && block.y + h >= box.lo[1] && block.y + h < box.hi[1];
    reads[h] = writes[h] = block.op.place(block.neighbours(block.z_lo, h));
  }
}

/// Launch shape; depends on the boxes and the device.
template <int R, class Op>
struct Sweep {
  using Sizes = SweepSizes<R, Op>;
  dim3 grid;
  Int3 origin;
  int planes;
  std::int64_t blocks() const { return std::int64_t{grid.x} * grid.y * grid.z; }
  static constexpr bool fits() { return true; }

  Sweep(const Box& domain, const Box& box) {
    const auto cut = [](int n, int size) { return (n + size - 1) / size; };
    // Planes, rows and columns form the same pairs as in the whole domain.
    for (int a = 0; a < 3; ++a) origin[a] = box.lo[a] - (box.lo[a] - domain.lo[a]) % 2;
    const int nx = cut(box.hi[2] - origin[2], Sizes::tile_x);
    const int ny = cut(box.hi[1] - origin[1], Sizes::tile_y);
    const int nz = box.hi[0] - origin[0];
    planes = cut(stretch_planes(std::int64_t{nx} * ny, nz, 2 * R, Op::template blocks<R>), 2) * 2;
    grid = dim3(nx, ny, cut(nz, planes));
  }
};

}  // namespace ffdp::device
