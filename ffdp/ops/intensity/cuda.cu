// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/common/voxels.cuh"
#include "ffdp/ops/intensity/backends.hpp"
#include "ffdp/ops/intensity/math.hpp"

namespace ffdp::intensity {
namespace {

enum Slot { counts_slot };

/// Statistics whose all-zero value is neutral.
struct Sum {
  std::int64_t count = 0, not_finite = 0;
  double sum = 0, sum_squares = 0;
  float lo = HUGE_VALF, hi = -HUGE_VALF;
  __device__ void operator+=(const Sum& other) {
    count += other.count;
    not_finite += other.not_finite;
    sum += other.sum;
    sum_squares += other.sum_squares;
    lo = fminf(lo, other.lo);
    hi = fmaxf(hi, other.hi);
  }
};

/// A warp counts rows of the box in the bins of its block, which are in shared memory (4 B per bin)
/// and are added to those of the device at the end. They are whole numbers, so any order gives the
/// same bits. Reads 4 B/voxel, 1 more with a mask. Atomic additions to one bin (the background)
/// limit it.
constexpr int histogram_warps = 16;
template <class T>
__global__ void __launch_bounds__(32 * histogram_warps)
    histogram_kernel(Box box, double lo, double scale, int bins, Loaded<T> image,
                     View<const std::uint8_t> mask, unsigned long long* counts) {
  extern __shared__ unsigned int mine[];
  for (int b = threadIdx.x; b < bins; b += blockDim.x) mine[b] = 0;
  __syncthreads();
  const std::int64_t rows = std::int64_t{box.size(0)} * box.size(1);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  for (std::int64_t r = std::int64_t{blockIdx.x} * histogram_warps + threadIdx.x / 32; r < rows;
       r += std::int64_t{gridDim.x} * histogram_warps) {
    const int z = box.lo[0] + static_cast<int>(r / box.size(1));
    const int y = box.lo[1] + static_cast<int>(r % box.size(1));
    for (int x = box.lo[2] + lane; x < box.hi[2]; x += 32) {
      const float v = image(z, y, x);
      if ((!mask || mask(z, y, x) != 0) && is_finite(v))
        atomicAdd(&mine[bin_of(v, lo, scale, bins)], 1U);
    }
  }
  __syncthreads();
  for (int b = threadIdx.x; b < bins; b += blockDim.x)
    if (mine[b] != 0) atomicAdd(&counts[b], static_cast<unsigned long long>(mine[b]));
}

/// out(voxel) = value(in(voxel)).
template <class In, class Out, class Value>
void map_voxels(const Context& ctx, const Box& box, View<In> in, View<Out> out,
                const Value& value) {
  device::for_each_voxel(
      ctx, box, [=] __device__(int z, int y, int x) { out(z, y, x) = value(in(z, y, x)); });
}

template <class T>
PlaneSums<Statistics> statistics_of(Context& ctx, const Box& box, Loaded<T> image,
                                    View<const std::uint8_t> mask) {
  const auto sums =
      device::plane_sums<Sum>(ctx, box, [=] __device__(int z, int y, int x, Sum& sum) {
        if (mask && mask(z, y, x) == 0) return;
        const float v = image(z, y, x);
        if (!is_finite(v)) {
          ++sum.not_finite;
          return;
        }
        ++sum.count;
        sum.sum += static_cast<double>(v);
        sum.sum_squares += static_cast<double>(v) * static_cast<double>(v);
        sum.lo = fminf(sum.lo, v);
        sum.hi = fmaxf(sum.hi, v);
      });
  PlaneSums<Statistics> result;
  for (const Sum& s : sums)
    result.of_planes.push_back({s.count, s.not_finite, s.sum, s.sum_squares, s.lo, s.hi});
  return result;
}

template <class T>
void load_as(const Context& ctx, const Box& box, Loaded<T> from, View<float> to) {
  device::for_each_voxel(ctx, box,
                         [=] __device__(int z, int y, int x) { to(z, y, x) = from(z, y, x); });
}

}  // namespace

/// Reads a voxel once, 1 B more with a mask.
template <>
PlaneSums<Statistics> On<Backend::cuda>::statistics(Context& ctx, Box box, const ImageView& image,
                                                    View<const std::uint8_t> mask) {
  return visit_loaded(image, [&](auto loaded) { return statistics_of(ctx, box, loaded, mask); });
}

/// Reads 1 B/voxel.
template <>
std::int64_t On<Backend::cuda>::count(Context& ctx, Box box, View<const std::uint8_t> mask) {
  return device::sum_voxels<std::int64_t>(
      ctx, box, [=] __device__(int z, int y, int x, std::int64_t& n) { n += mask(z, y, x) != 0; });
}

template <>
std::vector<std::int64_t> On<Backend::cuda>::histogram(Context& ctx, Box box, Range range, int bins,
                                                       const ImageView& image,
                                                       View<const std::uint8_t> mask) {
  const double lo = static_cast<double>(range.lo);
  const double scale = bins / (static_cast<double>(range.hi) - lo);
  const auto size = static_cast<std::size_t>(bins);
  auto* counts = ctx.scratch<unsigned long long>(counts_slot, size);
  check(cudaMemsetAsync(counts, 0, size * sizeof(*counts), stream_of(ctx)));
  const std::int64_t rows = std::int64_t{box.size(0)} * box.size(1);
  const auto blocks = static_cast<unsigned>(
      std::clamp<std::int64_t>((rows + histogram_warps - 1) / histogram_warps, 1, 528));
  visit_loaded(image, [&](auto loaded) {
    histogram_kernel<<<blocks, 32 * histogram_warps, size * sizeof(unsigned), stream_of(ctx)>>>(
        box, lo, scale, bins, loaded, mask, counts);
  });
  check(cudaGetLastError());
  std::vector<std::int64_t> result(size);
  check(cudaMemcpyAsync(result.data(), counts, size * sizeof(*counts), cudaMemcpyDeviceToHost,
                        stream_of(ctx)));
  check(cudaStreamSynchronize(stream_of(ctx)));
  return result;
}

/// Reads 4 B/voxel, 1 B more with a mask.
template <>
PlaneSums<Moments> On<Backend::cuda>::moments(Context& ctx, Box box, Range range,
                                              View<const float> image,
                                              View<const std::uint8_t> mask) {
  using Ten = device::Sums<10>;
  const auto sums =
      device::plane_sums<Ten>(ctx, box, [=] __device__(int z, int y, int x, Ten& sum) {
        if (mask && mask(z, y, x) == 0) return;
        const auto w = static_cast<double>(clamped(image(z, y, x), range) - range.lo);
        if (!(w > 0)) return;
        const double p[3] = {static_cast<double>(z), static_cast<double>(y),
                             static_cast<double>(x)};
        sum.v[0] += w;
        int next = 4;
        for (int a = 0; a < 3; ++a) {
          sum.v[1 + a] += w * p[a];
          for (int b = a; b < 3; ++b) sum.v[next++] += w * p[a] * p[b];
        }
      });
  PlaneSums<Moments> result;
  for (const Ten& t : sums) {
    Moments& m = result.of_planes.emplace_back(Moments{t.v[0], {t.v[1], t.v[2], t.v[3]}, {}});
    int next = 4;
    for (int a = 0; a < 3; ++a)
      for (int b = a; b < 3; ++b) m.second[a][b] = m.second[b][a] = t.v[next++];
  }
  return result;
}

// The maps below read and write every voxel once.

template <>
void On<Backend::cuda>::rescale(Context& ctx, Box box, float lo, float scale, View<float> image) {
  map_voxels(ctx, box, image, image, [=] __device__(float v) { return (v - lo) * scale; });
}

template <>
void On<Backend::cuda>::clamp(Context& ctx, Box box, Range range, View<float> image) {
  map_voxels(ctx, box, image, image, [=] __device__(float v) { return clamped(v, range); });
}

template <>
void On<Backend::cuda>::remap(Context& ctx, Box box, const std::vector<float>& x,
                              const std::vector<float>& y, View<float> image) {
  Points points{static_cast<int>(x.size())};
  std::copy(x.begin(), x.end(), points.x);
  std::copy(y.begin(), y.end(), points.y);
  map_voxels(ctx, box, image, image, [=] __device__(float v) { return remapped(points, v); });
}

template <>
void On<Backend::cuda>::store(Context& ctx, Box box, View<const float> from, View<Half> to) {
  map_voxels(ctx, box, from, to, [] __device__(float v) { return from_float<Half>(v); });
}

template <>
void On<Backend::cuda>::load(Context& ctx, Box box, const ImageView& from, View<float> to) {
  visit_loaded(from, [&](auto loaded) { load_as(ctx, box, loaded, to); });
}

template <>
void On<Backend::cuda>::store_mask(Context& ctx, Box box, float threshold, View<const float> from,
                                   View<std::uint8_t> to) {
  map_voxels(ctx, box, from, to,
             [=] __device__(float v) { return static_cast<std::uint8_t>(v >= threshold); });
}

template <>
void On<Backend::cuda>::drop_missing(Context& ctx, Box box, View<float> image,
                                     View<std::uint8_t> mask) {
  device::for_each_voxel(ctx, box, [=] __device__(int z, int y, int x) {
    if (is_finite(image(z, y, x))) return;
    image(z, y, x) = 0;
    mask(z, y, x) = 0;
  });
}

/// Reads 1 B/voxel, 27 B and some of 27 values where the mask is 0. Reads values only where the
/// mask counts and writes only where it does not.
template <>
void On<Backend::cuda>::extend(Context& ctx, Box domain, Box box, View<const std::uint8_t> mask,
                               View<float> image) {
  device::for_each_voxel(ctx, box, [=] __device__(int z, int y, int x) {
    if (mask(z, y, x) == 0) image(z, y, x) = neighbour_mean(domain, mask, image, z, y, x);
  });
}

}  // namespace ffdp::intensity
