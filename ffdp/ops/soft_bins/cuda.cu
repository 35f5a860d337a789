// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "ffdp/core/cuda_check.hpp"
#include "ffdp/ops/soft_bins/backends.hpp"
#include "ffdp/ops/soft_bins/mma.cuh"

namespace ffdp::soft_bins {
namespace {

enum Slot { parts_slot };

/// A warp takes 128 voxels at a time, and a block as many as its warps.
constexpr int warps = 8, threads = 32 * warps, per_warp = 128;
constexpr int most_blocks = 264;

int tiles_of(int bins) { return (bins + tile - 1) / tile; }
int blocks_for(std::int64_t n) {
  constexpr std::int64_t per_block = per_warp * warps;
  return static_cast<int>(
      std::clamp<std::int64_t>((n + per_block - 1) / per_block, 1, most_blocks));
}

/// What 32 voxels, one a lane, add to a tile of the histogram: 8 voxels at a time, by matrix
/// products of their weights. sums[r][c] is the 16 x 8 part at (16 r, 8 c) of the tile.
__device__ void add_voxels(const Pair& pair, const Tile& at, const Position& a, const Position& b,
                           unsigned int reached, float (&sums)[2][4][4]) {
  const int group = threadIdx.x % 32 / 4, within = threadIdx.x % 4;
#pragma unroll
  for (int k = 0; k < 4; ++k) {
    if (!(reached >> 8 * k & 0xFFU)) continue;
    const Position a0 = from_lane(a, 8 * k + within), a1 = from_lane(a, 8 * k + within + 4);
    const Position b0 = from_lane(b, 8 * k + within), b1 = from_lane(b, 8 * k + within + 4);
    Split rows[2][4], columns[2];
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const int bin = at.a + 16 * r + group;
      rows[r][0] = split(weight(pair.a, a0, bin));
      rows[r][1] = split(weight(pair.a, a0, bin + 8));
      rows[r][2] = split(weight(pair.a, a1, bin));
      rows[r][3] = split(weight(pair.a, a1, bin + 8));
    }
#pragma unroll
    for (int c = 0; c < 4; ++c) {
      const int bin = at.b + 8 * c + group;
      columns[0] = split(weight(pair.b, b0, bin));
      columns[1] = split(weight(pair.b, b1, bin));
#pragma unroll
      for (int r = 0; r < 2; ++r) multiply_add(sums[r][c], rows[r], columns);
    }
  }
}

/// A block makes a tile of 32 x 32 bins of the joint histogram from its share of the voxels, and
/// writes it to `parts`. The tensor cores round sums towards zero, so that they add 128 voxels
/// only; the rest is added by ordinary additions. Limited by the tensor cores and by making
/// weights.
__global__ void __launch_bounds__(threads)
    joint_kernel(Pair pair, std::int64_t n, const float* a, const float* b, float* parts) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const Tile at{tile * static_cast<int>(blockIdx.y), tile * static_cast<int>(blockIdx.z)};
  float total[2][4][4] = {};
  const std::int64_t stride = std::int64_t{gridDim.x} * per_warp * warps;
  for (std::int64_t base = (std::int64_t{blockIdx.x} * warps + warp) * per_warp; base < n;
       base += stride) {
    float sums[2][4][4] = {};
    for (int s = 0; s < per_warp; s += 32) {
      const std::int64_t i = base + s + lane;
      const bool there = i < n;
      const Position of_a = position(pair.a, there ? a[i] : 0.0F, there);
      const Position of_b = position(pair.b, there ? b[i] : 0.0F, there);
      const unsigned int reached =
          __ballot_sync(~0U, there && reaches(pair.a, of_a, at.a) && reaches(pair.b, of_b, at.b));
      add_voxels(pair, at, of_a, of_b, reached, sums);
    }
    for (int r = 0; r < 2; ++r)
      for (int c = 0; c < 4; ++c)
        for (int e = 0; e < 4; ++e) total[r][c][e] += sums[r][c][e];
  }
  __shared__ float cells[tile * tile];
  for (int w = 0; w < warps; ++w) {  // in order: the same bits every time
    if (warp == w)
      for (int r = 0; r < 2; ++r)
        for (int c = 0; c < 4; ++c)
          for (int e = 0; e < 4; ++e) {
            const int row = 16 * r + 8 * (e / 2) + lane / 4;
            float& cell = cells[row * tile + 8 * c + 2 * (lane % 4) + e % 2];
            cell = w == 0 ? total[r][c][e] : cell + total[r][c][e];
          }
    __syncthreads();
  }
  const std::int64_t tile_number = std::int64_t{blockIdx.z} * gridDim.y + blockIdx.y;
  float* out = parts + (tile_number * gridDim.x + blockIdx.x) * tile * tile;
  for (int i = threadIdx.x; i < tile * tile; i += threads) out[i] = cells[i];
}

/// A warp adds one cell of all blocks, in a fixed order.
__global__ void __launch_bounds__(threads)
    add_parts_kernel(int bins, int tiles, int blocks, const float* parts, double* joint) {
  const int cell = static_cast<int>(blockIdx.x) * warps + threadIdx.x / 32, lane = threadIdx.x % 32;
  const int row = cell / bins, column = cell % bins;
  if (row >= bins) return;
  const int tile_number = column / tile * tiles + row / tile;
  const float* mine =
      parts + std::int64_t{tile_number} * blocks * tile * tile + row % tile * tile + column % tile;
  double sum = 0;
  for (int i = lane; i < blocks; i += 32) sum += static_cast<double>(mine[i * tile * tile]);
  for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(~0U, sum, step);
  if (lane == 0) joint[cell] += sum;
}

/// Adds to products the table's part times the weights of b: rows are 32 bins of a, columns the
/// 32 voxels of the warp. products[v][r] is the 16 x 8 part at (16 r, 8 v).
__device__ void add_products(const Pair& pair, int first_b, const Position (&b)[4],
                             const Split* fragments, float (&products)[4][2][4]) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int k = 0; k < 4; ++k) {
    Split rows[2][4];
#pragma unroll
    for (int r = 0; r < 2; ++r)
#pragma unroll
      for (int e = 0; e < 4; ++e) rows[r][e] = fragments[((r * 4 + k) * 4 + e) * 32 + lane];
    const int bin = first_b + 8 * k + lane % 4;
#pragma unroll
    for (int v = 0; v < 4; ++v) {
      const Split columns[2] = {split(weight(pair.b, b[v], bin)),
                                split(weight(pair.b, b[v], bin + 4))};
#pragma unroll
      for (int r = 0; r < 2; ++r) multiply_add(products[v][r], rows[r], columns);
    }
  }
}

/// Sums over the 32 bins of a from first_a on the slopes of their weights times products, for the
/// eight voxels whose columns this lane holds two each.
__device__ void add_slopes(const Pair& pair, int first_a, const Position& a,
                           const float (&products)[4][2][4], float (&sums)[4][2]) {
  const int group = threadIdx.x % 32 / 4, within = threadIdx.x % 4;
#pragma unroll
  for (int v = 0; v < 4; ++v)
#pragma unroll
    for (int odd = 0; odd < 2; ++odd) {
      const int lane = 8 * v + 2 * within + odd;
      const Position one = from_lane(a, lane);
      const float mean = __shfl_sync(~0U, a.mean, lane);
#pragma unroll
      for (int r = 0; r < 2; ++r)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const int bin = first_a + 16 * r + 8 * half + group;
          const float d = static_cast<float>(bin) - one.at - mean;
          sums[v][odd] += weight(pair.a, one, bin) * d * products[v][r][2 * half + odd];
        }
    }
}

/// The sums of the voxel of this lane: those of its column over all lanes that hold a part of it.
__device__ float own_sum(float (&sums)[4][2]) {
  const int lane = threadIdx.x % 32;
  float mine = 0;
#pragma unroll
  for (int v = 0; v < 4; ++v)
#pragma unroll
    for (int odd = 0; odd < 2; ++odd) {
      float sum = sums[v][odd];
      for (int step = 4; step < 32; step *= 2) sum += __shfl_xor_sync(~0U, sum, step);
      const float one = __shfl_sync(~0U, sum, lane % 8 / 2);
      if (lane / 8 == v && lane % 2 == odd) mine = one;
    }
  return mine;
}

/// A warp makes 32 voxels at a time. The table lies in shared memory, in the order in which lanes
/// load it for the matrix products. What limits joint_kernel limits this kernel, too.
__global__ void __launch_bounds__(threads)
    gradient_kernel(Pair pair, Ends ends, int tiles, std::int64_t n, const float* a, const float* b,
                    const float* table, float* grad_a) {
  extern __shared__ Split fragments[];  // tiles of a, tiles of b, 16 rows, 8 columns, element, lane
  const int bins = static_cast<int>(pair.a.last) + 1, lane = threadIdx.x % 32;
  for (int i = threadIdx.x; i < tiles * tiles * tile * tile; i += threads) {
    const int of_tile = i % (tile * tile), tile_a = i / (tile * tile) / tiles;
    const int tile_b = i / (tile * tile) % tiles, at_lane = of_tile % 32;
    const int element = of_tile / 32 % 4, k = of_tile / 128 % 4, r = of_tile / 512;
    const int row = tile_a * tile + 16 * r + 8 * (element % 2) + at_lane / 4;
    const int column = tile_b * tile + 8 * k + 4 * (element / 2) + at_lane % 4;
    fragments[i] = split(row < bins && column < bins ? table[row * bins + column] : 0.0F);
  }
  __syncthreads();
  const float factor = slope_factor(pair.a) * pair.a.per_unit;
  const std::int64_t stride = std::int64_t{gridDim.x} * threads;
  for (std::int64_t base = std::int64_t{blockIdx.x} * threads + threadIdx.x - lane; base < n;
       base += stride) {
    const std::int64_t i = base + lane;
    const bool there = i < n;
    const float value = there ? a[i] : 0.0F;
    const Position of_a = position(pair.a, value, there);
    const Position of_b = position(pair.b, there ? b[i] : 0.0F, there);
    Position columns[4];
    for (int v = 0; v < 4; ++v) columns[v] = from_lane(of_b, 8 * v + lane / 4);
    float sums[4][2] = {};
    for (int ta = 0; ta < tiles; ++ta) {
      if (!__any_sync(~0U, there && reaches(pair.a, of_a, ta * tile))) continue;
      float products[4][2][4] = {};
      for (int tb = 0; tb < tiles; ++tb)
        if (__any_sync(~0U, there && reaches(pair.b, of_b, tb * tile)))
          add_products(pair, tb * tile, columns, fragments + (ta * tiles + tb) * tile * tile,
                       products);
      add_slopes(pair, ta * tile, of_a, products, sums);
    }
    const float sum = own_sum(sums);
    if (there) grad_a[i] = follows(pair.a, ends, value) ? factor * sum : 0.0F;
  }
}

Pair pair_of(const Params& p) {
  return {axis_of<float>(p, p.range_a), axis_of<float>(p, p.range_b)};
}

}  // namespace

template <>
template <>
void On<Backend::cuda>::accumulate(Context& ctx, const Params& p, std::int64_t n, const float* a,
                                   const float* b, double* joint) {
  const int tiles = tiles_of(p.bins), blocks = blocks_for(n);
  auto* parts = ctx.scratch<float>(parts_slot,
                                   static_cast<std::size_t>(tiles) * tiles * blocks * tile * tile);
  joint_kernel<<<dim3(blocks, tiles, tiles), threads, 0, stream_of(ctx)>>>(pair_of(p), n, a, b,
                                                                           parts);
  check(cudaGetLastError());
  add_parts_kernel<<<(p.bins * p.bins + warps - 1) / warps, threads, 0, stream_of(ctx)>>>(
      p.bins, tiles, blocks, parts, joint);
  check(cudaGetLastError());
}

template <>
template <>
void On<Backend::cuda>::backward(Context& ctx, const Params& p, std::int64_t n, const float* a,
                                 const float* b, const float* table, float* grad_a) {
  if (n == 0) return;
  const int tiles = tiles_of(p.bins);
  const auto shared = static_cast<int>(sizeof(Split) * tiles * tiles * tile * tile);
  check(cudaFuncSetAttribute(gradient_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared));
  const auto blocks = static_cast<unsigned int>(
      std::min<std::int64_t>((n + threads - 1) / threads, std::int64_t{4} * most_blocks));
  gradient_kernel<<<blocks, threads, shared, stream_of(ctx)>>>(pair_of(p), p.ends, tiles, n, a, b,
                                                               table, grad_a);
  check(cudaGetLastError());
}

}  // namespace ffdp::soft_bins
