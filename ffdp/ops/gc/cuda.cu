// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/common/voxels.cuh"
#include "ffdp/ops/gc/backends.hpp"
#include "ffdp/ops/gc/math.hpp"

namespace ffdp::gc {
namespace {

/// Sums as plain numbers: device code calls no std::array.
struct Totals {
  std::int64_t v[6] = {};
  __device__ void operator+=(const Totals& other) {
    for (int i = 0; i < 6; ++i) v[i] += other.v[i];
  }
};

struct AddTotals {
  std::int64_t* to;
  __device__ void operator()(const Totals& sum) const {
    for (int i = 0; i < 6; ++i) to[i] += sum.v[i];
  }
};

__global__ void measure_kernel(const std::int64_t* sums, float* slope, MetricSum* result) {
  measure(sums, slope, result);
}

}  // namespace

/// Reads 8 B/voxel.
template <>
void On<Backend::cuda>::accumulate(Context& ctx, const Params& p, Box, Box compute,
                                   const Images<float>& images, std::int64_t* sums) {
  const View<const float> fixed = images.fixed, warped = images.warped;
  const Standard of_fixed = fixed_standard(p), of_moving = moving_standard(p);
  const auto body = [=] __device__(int z, int y, int x, Totals& total) {
    const double f{of_fixed(fixed(z, y, x))}, m{of_moving(warped(z, y, x))};
    if (!(f == f && m == m)) return;
    const auto units = [](double value) { return __double2ll_rn(value * one); };
    total.v[0] += 1;
    total.v[1] += units(f);
    total.v[2] += units(m);
    total.v[3] += units(f * f);
    total.v[4] += units(m * m);
    total.v[5] += units(f * m);
  };
  device::sum_voxels<Totals, 4>(ctx, compute, body, AddTotals{sums});
}

template <>
void On<Backend::cuda>::evaluate(Context& ctx, const Params&, const std::int64_t* sums,
                                 float* slope, MetricSum* result) {
  measure_kernel<<<1, 1, 0, stream_of(ctx)>>>(sums, slope, result);
  check(cudaGetLastError());
}

/// Reads 8 and writes 4 B/voxel.
template <>
void On<Backend::cuda>::backward(Context& ctx, const Params& p, Box, Box compute, float scale,
                                 const float* slope, const Images<float>& images,
                                 View<float> grad) {
  const View<const float> fixed = images.fixed, warped = images.warped;
  const Standard of_fixed = fixed_standard(p), of_moving = moving_standard(p);
  const float per_intensity = scale * p.moving_scale;
  const auto body = [=] __device__(int z, int y, int x) {
    const float value =
        per_intensity * voxel_slope(slope, of_fixed(fixed(z, y, x)), of_moving(warped(z, y, x)));
    grad(z, y, x) = value == value ? value : 0.0F;
  };
  device::for_each_voxel<8>(ctx, compute, body);
}

}  // namespace ffdp::gc
