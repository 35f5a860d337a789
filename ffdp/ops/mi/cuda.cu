// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include "ffdp/ops/common/voxels.cuh"
#include "ffdp/ops/mi/backends.hpp"
#include "ffdp/ops/mi/math.hpp"

namespace ffdp::mi::cuda {
namespace {

enum Slot { histogram_slot = 0, table_slot = 1 };
constexpr int threads = 1024;
constexpr std::size_t shared_limit = 200U << 10U;

/// Everything a thread needs; rows are numbered z * size(1) + y within compute.
struct Pair {
  BinMap fixed_map, moving_map;
  int bins;
  Box compute;
  View<const float> fixed, warped;

  Pair(const Params& p, const Box& box, View<const float> f, View<const float> m)
      : fixed_map(bin_map(p.fixed_lo, p.fixed_hi, p.bins, padding(p.parzen))),
        moving_map(bin_map(p.moving_lo, p.moving_hi, p.bins, padding(p.parzen))),
        bins(p.bins),
        compute(box),
        fixed(f),
        warped(m) {}
};

/// A block counts `rows` rows in shared memory, `copies` histograms with the copy as the fastest
/// index: the lanes of a warp use different copies, hence different banks, so that equal voxels
/// (background) cost what others do. A count is at most 2^20 and a copy sees at most 4095 voxels,
/// so 32 bits hold it. Integer sums, so any order gives the same bits. Reads 8 B/voxel.
template <int FixedTaps, int MovingTaps>
__global__ void __launch_bounds__(threads)
    histogram_kernel(Pair pair, int rows, int copies, unsigned long long* joint) {
  extern __shared__ unsigned int counts[];
  __shared__ unsigned int block_samples;
  const int cells = pair.bins * pair.bins;
  for (int i = threadIdx.x; i < cells * copies; i += threads) counts[i] = 0;
  if (threadIdx.x == 0) block_samples = 0;
  __syncthreads();
  const Box& box = pair.compute;
  const std::int64_t all_rows = std::int64_t{box.size(0)} * box.size(1);
  const std::int64_t row_lo = std::int64_t{blockIdx.x} * rows;
  const int row_count = static_cast<int>(min(std::int64_t{rows}, all_rows - row_lo));
  const int width = box.size(2), copy = threadIdx.x & (copies - 1);
  const int x_lo = static_cast<int>(blockIdx.y) * (threads / 32 * 4096);
  const int x_hi = min(width, x_lo + threads / 32 * 4096);
  // A warp takes a row at a time, its lanes neighbouring voxels.
  unsigned int samples = 0;
  for (int r = threadIdx.x / 32; r < row_count; r += threads / 32) {
    const std::int64_t row = row_lo + r;
    const int z = box.lo[0] + static_cast<int>(row / box.size(1));
    const int y = box.lo[1] + static_cast<int>(row % box.size(1));
    const float* f_row = pair.fixed.row(z, y) + box.lo[2];
    const float* m_row = pair.warped.row(z, y) + box.lo[2];
#pragma unroll 4
    for (int x = x_lo + static_cast<int>(threadIdx.x % 32); x < x_hi; x += 32) {
      const float f = f_row[x], m = m_row[x];
      if (!(f == f && m == m)) continue;
      ++samples;
      const float fb = to_bin(pair.fixed_map, f), mb = to_bin(pair.moving_map, m);
      const int f0 = first_bin(fb, FixedTaps), m0 = first_bin(mb, MovingTaps);
      constexpr auto one = static_cast<float>(Histogram::one);
      float weight[MovingTaps];
#pragma unroll
      for (int k = 0; k < MovingTaps; ++k)
        weight[k] = one * window(MovingTaps, static_cast<float>(m0 + k) - mb);
#pragma unroll
      for (int j = 0; j < FixedTaps; ++j) {
        const float scale = window(FixedTaps, static_cast<float>(f0 + j) - fb);
        unsigned int* cell = counts + ((f0 + j) * pair.bins + m0) * copies + copy;
#pragma unroll
        for (int k = 0; k < MovingTaps; ++k)
          atomicAdd(cell + k * copies, static_cast<unsigned int>(scale * weight[k] + 0.5F));
      }
    }
  }
  atomicAdd(&block_samples, samples);
  __syncthreads();
  for (int i = threadIdx.x; i < cells; i += threads) {
    unsigned long long sum = 0;
    // Each lane starts at another copy, hence another bank.
    for (int k = 0; k < copies; ++k) sum += counts[i * copies + ((k + i) & (copies - 1))];
    if (sum) atomicAdd(joint + i, sum);
  }
  if (threadIdx.x == 0) atomicAdd(joint + cells, std::uint64_t{block_samples});
}

/// Four table look-ups a voxel (81 with Gaussian windows); the table lies in shared memory. Reads 8
/// and writes 4 B/voxel.
template <int FixedTaps, int MovingTaps>
__global__ void __launch_bounds__(device::tile_threads)
    gradient_kernel(Pair pair, float per_intensity, int planes, const float* table,
                    View<float> grad) {
  extern __shared__ float shared_table[];
  const int thread = threadIdx.y * device::tile_x + threadIdx.x;
  for (int i = thread; i < pair.bins * pair.bins; i += device::tile_threads)
    shared_table[i] = table[i];
  __syncthreads();
  const Box& box = pair.compute;
  const int x = box.lo[2] + static_cast<int>(blockIdx.x) * device::tile_x + threadIdx.x;
  const int y = box.lo[1] + static_cast<int>(blockIdx.y) * device::tile_y + threadIdx.y;
  const int z_lo = box.lo[0] + static_cast<int>(blockIdx.z) * planes;
  const int z_hi = min(z_lo + planes, box.hi[0]);
  if (x >= box.hi[2] || y >= box.hi[1]) return;
#pragma unroll 4
  for (int z = z_lo; z < z_hi; ++z) {
    const float f = pair.fixed(z, y, x), m = pair.warped(z, y, x);
    const bool valid = f == f && m == m;
    const float fb = to_bin(pair.fixed_map, valid ? f : 0.0F);
    const float mb = to_bin(pair.moving_map, valid ? m : 0.0F);
    const bool carries = valid && mb > pair.moving_map.first && mb < pair.moving_map.last;
    const int f0 = first_bin(fb, FixedTaps), m0 = first_bin(mb, MovingTaps);
    float sum = 0;
#pragma unroll
    for (int j = 0; j < FixedTaps; ++j) {
      float inner = 0;
#pragma unroll
      for (int k = 0; k < MovingTaps; ++k)
        inner += window_vjp(MovingTaps, static_cast<float>(m0 + k) - mb) *
                 shared_table[(f0 + j) * pair.bins + m0 + k];
      sum += window(FixedTaps, static_cast<float>(f0 + j) - fb) * inner;
    }
    grad(z, y, x) = carries ? per_intensity * sum : 0.0F;
  }
}

}  // namespace

void accumulate(Context& ctx, const Params& p, Box, Box compute, View<const float> fixed,
                View<const float> warped, Histogram& histogram) {
  const Pair pair(p, compute, fixed, warped);
  const int cells = p.bins * p.bins;
  int copies = 32;
  while (copies > 1 && cells * copies * sizeof(unsigned int) > shared_limit) copies /= 2;
  const std::size_t shared = static_cast<std::size_t>(cells) * copies * sizeof(unsigned int);
  // A copy serves every copies-th lane: with rows x ceil(width / 32) x 32 / copies voxels.
  constexpr int widest = threads / 32 * 4096;
  const int chunks = (compute.size(2) + widest - 1) / widest;
  const int lane_steps = (std::min(compute.size(2), widest) + 31) / 32;
  const int rows = std::max(1, 4095 * copies / 32 / lane_steps);
  require(lane_steps * (32 / copies) <= 4095, "mi: a row of " + std::to_string(compute.size(2)) +
                                                  " voxels is too long for " +
                                                  std::to_string(p.bins) + " bins");
  const std::int64_t all_rows = std::int64_t{compute.size(0)} * compute.size(1);
  const dim3 grid(static_cast<unsigned int>((all_rows + rows - 1) / rows), chunks);
  auto* joint = ctx.scratch<unsigned long long>(histogram_slot, cells + 1);
  const std::size_t bytes = (cells + 1) * sizeof(unsigned long long);
  check(cudaMemsetAsync(joint, 0, bytes, stream_of(ctx)));
  with_taps(p.parzen, [&]<int F, int M>() {
    check(cudaFuncSetAttribute(histogram_kernel<F, M>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(shared)));
    histogram_kernel<F, M><<<grid, threads, shared, stream_of(ctx)>>>(pair, rows, copies, joint);
  });
  check(cudaGetLastError());
  std::vector<std::int64_t> host(cells + 1);
  check(cudaMemcpyAsync(host.data(), joint, bytes, cudaMemcpyDeviceToHost, stream_of(ctx)));
  check(cudaStreamSynchronize(stream_of(ctx)));
  for (int i = 0; i < cells; ++i) histogram.joint[i] += host[i];
  histogram.samples += host[cells];
}

void backward(Context& ctx, const Params& p, Box, Box compute, float scale, const Table& table,
              View<const float> fixed, View<const float> warped, View<float> grad) {
  const Pair pair(p, compute, fixed, warped);
  const device::Tiles tiles = device::tiles_of(compute);
  const float* values = device::upload(ctx, table_slot, table.derivative);
  const auto shared = static_cast<int>(table.derivative.size() * sizeof(float));
  with_taps(p.parzen, [&]<int F, int M>() {
    check(cudaFuncSetAttribute(gradient_kernel<F, M>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               shared));
    gradient_kernel<F, M>
        <<<tiles.grid, dim3(device::tile_x, device::tile_y), shared, stream_of(ctx)>>>(
            pair, scale * pair.moving_map.scale, tiles.planes, values, grad);
  });
  check(cudaGetLastError());
}

}  // namespace ffdp::mi::cuda
