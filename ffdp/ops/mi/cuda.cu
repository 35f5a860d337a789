// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "ffdp/ops/common/voxels.cuh"
#include "ffdp/ops/mi/backends.hpp"
#include "ffdp/ops/mi/math.hpp"

namespace ffdp::mi {
namespace {

constexpr int threads = 1024;
constexpr std::size_t shared_limit = 200U << 10U;

/// Everything a thread needs; rows are numbered z * size(1) + y within compute.
struct Pair {
  BinMap fixed_map, moving_map;
  int bins;
  Box compute;
  View<const float> fixed, warped;

  Pair(const Params& p, const Box& box, const Images<float>& images)
      : fixed_map(bin_map(p.fixed_lo, p.fixed_hi, p.bins, padding(p.parzen))),
        moving_map(bin_map(p.moving_lo, p.moving_hi, p.bins, padding(p.parzen))),
        bins(p.bins),
        compute(box),
        fixed(images.fixed),
        warped(images.warped) {}
};

struct Integers {
  std::int64_t v = 0;
  __device__ void operator+=(const Integers& other) { v += other.v; }
};

/// A block counts `rows` rows in shared memory, `copies` histograms with the copy as the fastest
/// index: the lanes of a warp use different copies, hence different banks, so that equal voxels
/// (background) cost what others do. A count is at most 2^20 and a copy sees at most 4095 voxels,
/// so 32 bits hold it. Integer sums, so any order gives the same bits. Reads 8 B/voxel.
template <int FixedTaps, int MovingTaps>
__global__ void __launch_bounds__(threads)
    histogram_kernel(Pair pair, int rows, int chunk, int copies, unsigned long long* joint) {
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
  const int x_lo = static_cast<int>(blockIdx.y) * chunk, x_hi = min(width, x_lo + chunk);
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

/// One block makes the measure and its table, with every sum in a fixed order.
constexpr int evaluate_threads = 256, most_bins = 128;
__global__ void __launch_bounds__(evaluate_threads)
    evaluate_kernel(int bins, Measure measure, const std::int64_t* counts, float* derivative,
                    MetricSum* result) {
  __shared__ double log_fixed[most_bins], log_moving[most_bins];
  __shared__ std::int64_t all;
  __shared__ double joint_entropy, marginal_entropy, mean;
  const int thread = static_cast<int>(threadIdx.x), cells = bins * bins;
  std::int64_t of_bin = 0;  // thread k < bins: fixed bin k; from most_bins on: moving bins
  const int k = thread % most_bins;
  const bool is_fixed = thread < most_bins;
  if (k < bins)
    for (int i = 0; i < bins; ++i) of_bin += counts[is_fixed ? k * bins + i : i * bins + k];
  Integers ones{is_fixed ? of_bin : 0};
  ones = device::block_sum(thread, ones);
  if (thread == 0) all = ones.v;
  __syncthreads();
  const auto total = static_cast<double>(all);
  if (all == 0) {
    for (int i = thread; i < cells; i += evaluate_threads) derivative[i] = 0;
    if (thread == 0) *result = {0, static_cast<double>(counts[cells])};
    return;
  }
  const double marginal = static_cast<double>(of_bin) / total;
  if (k < bins) (is_fixed ? log_fixed : log_moving)[k] = bounded_log(marginal, total);
  device::Sums<2> entropies{{0, k < bins ? entropy(marginal) : 0}};
  for (int i = thread; i < cells; i += evaluate_threads)
    entropies.v[0] += entropy(static_cast<double>(counts[i]) / total);
  entropies = device::block_sum(thread, entropies);
  if (thread == 0) {
    joint_entropy = entropies.v[0];
    marginal_entropy = entropies.v[1];
  }
  __syncthreads();
  const MeasureTerms terms = measure_terms(measure, joint_entropy, marginal_entropy);
  const auto probability = [&](int i) { return static_cast<double>(counts[i]) / total; };
  const auto slope = [&](int i) {
    return terms.w_j * bounded_log(probability(i), total) -
           terms.w_m * (log_fixed[i / bins] + log_moving[i % bins]);
  };
  device::Sums<1> sum{};
  for (int i = thread; i < cells; i += evaluate_threads) sum.v[0] += probability(i) * slope(i);
  sum = device::block_sum(thread, sum);
  if (thread == 0) mean = sum.v[0];
  __syncthreads();
  const double per_count = static_cast<double>(Histogram::one) / total;
  for (int i = thread; i < cells; i += evaluate_threads)
    derivative[i] = static_cast<float>((slope(i) - mean) * per_count);
  if (thread == 0) *result = {terms.value, static_cast<double>(counts[cells])};
}

/// Four table look-ups per voxel (81 with Gaussian windows); the table is in shared memory. Reads 8
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
  const device::Column column = device::thread_column(pair.compute, planes);
  if (!column.in_box) return;
  const int y = column.y, x = column.x;
#pragma unroll 4
  for (int z = column.z_lo; z < column.z_hi; ++z) {
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

template <>
void On<Backend::cuda>::accumulate(Context& ctx, const Params& p, Box, Box compute,
                                   const Images<float>& images, std::int64_t* counts) {
  const Pair pair(p, compute, images);
  const int cells = p.bins * p.bins;
  int copies = 32;
  while (copies > 1 && cells * copies * sizeof(unsigned int) > shared_limit) copies /= 2;
  const std::size_t shared = static_cast<std::size_t>(cells) * copies * sizeof(unsigned int);
  // Each copy serves every copies-th lane, so a step of a warp along its row adds 32 / copies
  // voxels.
  const int most_steps = 4095 * copies / 32;
  const int chunk = std::min(compute.size(2), most_steps * 32);
  const int chunks = (compute.size(2) + chunk - 1) / chunk;
  const std::int64_t all_rows = std::int64_t{compute.size(0)} * compute.size(1);
  // Small images are spread over the GPU, at least one row per warp.
  const int rows = static_cast<int>(std::min<std::int64_t>(
      most_steps / ((chunk + 31) / 32), std::max<std::int64_t>(threads / 32, all_rows / 128)));
  const dim3 grid(static_cast<unsigned int>((all_rows + rows - 1) / rows), chunks);
  auto* joint = reinterpret_cast<unsigned long long*>(counts);  // atomicAdd takes no other type
  with_taps(p.parzen, [&]<int F, int M>() {
    check(cudaFuncSetAttribute(histogram_kernel<F, M>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(shared)));
    histogram_kernel<F, M>
        <<<grid, threads, shared, stream_of(ctx)>>>(pair, rows, chunk, copies, joint);
  });
  check(cudaGetLastError());
}

template <>
void On<Backend::cuda>::evaluate(Context& ctx, const Params& p, const std::int64_t* counts,
                                 float* derivative, MetricSum* result) {
  evaluate_kernel<<<1, evaluate_threads, 0, stream_of(ctx)>>>(p.bins, p.measure, counts, derivative,
                                                              result);
  check(cudaGetLastError());
}

template <>
void On<Backend::cuda>::backward(Context& ctx, const Params& p, Box, Box compute, float scale,
                                 const float* derivative, const Images<float>& images,
                                 View<float> grad) {
  const Pair pair(p, compute, images);
  const device::Tiles tiles = device::tiles_of(compute);
  const auto shared = static_cast<int>(p.bins * p.bins * sizeof(float));
  with_taps(p.parzen, [&]<int F, int M>() {
    check(cudaFuncSetAttribute(gradient_kernel<F, M>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               shared));
    gradient_kernel<F, M>
        <<<tiles.grid, dim3(device::tile_x, device::tile_y), shared, stream_of(ctx)>>>(
            pair, scale * pair.moving_map.scale, tiles.planes, derivative, grad);
  });
  check(cudaGetLastError());
}

}  // namespace ffdp::mi
