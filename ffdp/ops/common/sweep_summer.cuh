// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <type_traits>

#include "ffdp/ops/common/sweep_loader.cuh"

namespace ffdp::device {

/// Sums along z that wait for their last plane.
template <int R, Stencil stencil, int Q>
using SweepQueue =
    std::conditional_t<stencil == Stencil::box, PlaneQueue<R, Q>, WeightedQueue<R, Q>>;

/// Sums planes along y, x and z, counts voxels if some may be missing, and passes finished sums to
/// Op::emit.
template <int R, Stencil stencil, bool paired, class Op>
struct SweepSummer {
  using Sizes = SweepSizes<R, Op>;
  using Stage = typename Sizes::Stage;
  static constexpr int Q = Sizes::Q, H = Sizes::H, side = Sizes::side;
  static_assert(!Op::missing || R <= 2, "counts wait in 8 bits each");

  const SweepBlock<R, Op>& block;
  const Weights& weights;
  const SweepLoader<R, paired, Op>& loader;
  const bool (&makes)[H];
  typename Op::Place (&writes)[H];  ///< where the next sums go
  SweepQueue<R, stencil, Q> (&queue)[H];
  std::uint32_t (&counts)[H][2];  ///< numbers of voxels of the windows to come, 8 bits each
  int& clean_planes;  ///< so many in a row without missing voxels, up to the present one
  typename Op::Sum& total;

  /// Adds plane z_lo - R + s, which is in `slot`, and emits the sums that it completes.
  template <int phase>
  __device__ void step(int s, int slot) const {
    const int z = block.z_lo + s - 2 * R;
    float line[H][Q][2];  // sums along y, then along x, then along z
    int count[H][2];
    const Stage& stage = block.stages[slot];
    row_sums<R, stencil, false>(block.op, weights, block.readable, block.y, block.x, stage,
                                block.warp * H, line, count);
    if constexpr (Op::missing) {
      const bool missing = any_missing(line);
      if (missing || !block.interior) {
        count_columns(missing, stage, line, count);
        // This loop is no function: as one, it costs up to 1.5 % more instructions (nvcc 13.0).
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
      if (!loader.wanted(s)) {
#pragma unroll
        for (int h = 0; h < H; ++h) count[h][0] = count[h][1] = 0;
      }
      clean_planes = missing ? 0 : clean_planes + 1;
    }
    push_line<phase>(line);
    WindowState state[H];
    if constexpr (Op::missing) push_counts(count, state);
    if (z >= block.z_lo) emit(z, s, slot, line, state);
  }

 private:
  /// Whether the warp has summed a NaN. Then the sum of the last quantity, which has all raws, is
  /// NaN.
  __device__ static bool any_missing(const float (&line)[H][Q][2]) {
    bool missing = false;
#pragma unroll
    for (int h = 0; h < H; ++h) missing = missing || absent(line[h][Q - 1][0], line[h][Q - 1][1]);
    return __any_sync(0xffffffffU, missing);
  }

  /// Counts the voxels along y. If some are missing, also sums the others anew.
  __device__ void count_columns(bool missing, const Stage& stage, float (&line)[H][Q][2],
                                int (&count)[H][2]) const {
    const Box& readable = block.readable;
    const int x = block.x, y = block.y;
    if (missing) {
      row_sums<R, stencil, true>(block.op, weights, readable, y, x, stage, block.warp * H, line,
                                 count);
    } else {
#pragma unroll
      for (int h = 0; h < H; ++h) {
        const int there = min(y + h + R + 1, readable.hi[1]) - max(y + h - R, readable.lo[1]);
#pragma unroll
        for (int i = 0; i < 2; ++i)
          count[h][i] = x + i >= readable.lo[2] && x + i < readable.hi[2] ? there : 0;
      }
    }
  }

  /// Sums along x, and then along z.
  template <int phase>
  __device__ void push_line(float (&line)[H][Q][2]) const {
#pragma unroll
    for (int h = 0; h < H; ++h) {
#pragma unroll
      for (int q = 0; q < Q; ++q) lane_sums<R, stencil>(line[h][q], weights.axis[2], line[h][q]);
      if constexpr (stencil == Stencil::box)
        queue[h].template push<(phase + R) % 2 == 1>(line[h]);
      else
        queue[h].push(weights.axis[0], line[h]);
    }
  }

  /// Adds the counts of a plane. `state` gets those of the windows that it completes.
  __device__ void push_counts(const int (&count)[H][2], WindowState (&state)[H]) const {
    constexpr std::uint32_t each = R == 1 ? 0x0101U : 0x01010101U;
#pragma unroll
    for (int h = 0; h < H; ++h)
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        std::uint32_t& to_come = counts[h][i];
        state[h].count[i] = static_cast<float>((to_come & 0xffU) + count[h][i]);
        to_come = (to_come >> 8U) + static_cast<std::uint32_t>(count[h][i]) * each;
      }
  }

  /// Passes the sums about plane z to the Op.
  __device__ void emit(int z, int s, int slot, const float (&line)[H][Q][2],
                       WindowState (&state)[H]) const {
    const bool clean = !Op::missing || clean_planes >= side;
    const bool whole =
        block.interior && clean && s - 2 * R >= loader.first_plane && s < loader.last_plane;
#pragma unroll
    for (int h = 0; h < H; ++h) {
      if (makes[h] && z >= block.box.lo[0]) {
        state[h].clean = clean;
        state[h].whole = whole;
        typename Op::Own own[Op::own + 1][2];
#pragma unroll
        for (int k = 0; k < Op::own; ++k)
          load_pair(loader.own_pair(slot, h, k), 0, 2, true, own[k]);
        block.op.emit(writes[h], block.neighbours(z, h), line[h], state[h], own, total);
      }
      block.op.next_plane(writes[h]);
    }
  }
};

}  // namespace ffdp::device
