// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/common/sweep_sums.cuh"

/// Separable stencils of a small reach over several quantities in one pass: sums along y in
/// registers, along x by shuffles, along z in registers. Each voxel is read once and written once.
namespace ffdp::device {

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
