// SPDX-License-Identifier: Apache-2.0
#include "ffdp/core/parallel.hpp"
#include "ffdp/ops/common/exact_sum.hpp"
#include "ffdp/ops/gc/backends.hpp"
#include "ffdp/ops/gc/math.hpp"

namespace ffdp::gc {
namespace {

struct Totals {
  Sums v{};
  void operator+=(const Totals& other) {
    for (std::size_t i = 0; i < v.size(); ++i) v[i] += other.v[i];
  }
};

/// A row adds exactly in doubles: its addends are multiples of the unit.
Totals row_totals(const Standard& of_fixed, const Standard& of_moving, const float* fixed,
                  const float* warped, int count) {
  const ExactUnit rounded(1.0 / one);
  double n = 0, f = 0, m = 0, ff = 0, mm = 0, fm = 0;
#pragma omp simd reduction(+ : n, f, m, ff, mm, fm)
  for (int x = 0; x < count; ++x) {
    const double vf{of_fixed(fixed[x])}, vm{of_moving(warped[x])};
    const bool valid = vf == vf && vm == vm;
    n += valid ? 1.0 : 0.0;
    f += valid ? rounded(vf) : 0.0;
    m += valid ? rounded(vm) : 0.0;
    ff += valid ? rounded(vf * vf) : 0.0;
    mm += valid ? rounded(vm * vm) : 0.0;
    fm += valid ? rounded(vf * vm) : 0.0;
  }
  const auto units = [](double sum) { return static_cast<std::int64_t>(sum * one); };
  return {{static_cast<std::int64_t>(n), units(f), units(m), units(ff), units(mm), units(fm)}};
}

}  // namespace

template <>
void On<Backend::cpu>::accumulate(Context& ctx, const Params& p, Box, Box compute,
                                  const Images<float>& images, std::int64_t* sums) {
  const View<const float> fixed = images.fixed, warped = images.warped;
  const Standard of_fixed = fixed_standard(p), of_moving = moving_standard(p);
  const auto plane = [&](std::int64_t i, int) {
    Totals total;
    const int z = compute.lo[0] + static_cast<int>(i);
    for (int y = compute.lo[1]; y < compute.hi[1]; ++y)
      total += row_totals(of_fixed, of_moving, fixed.row(z, y) + compute.lo[2],
                          warped.row(z, y) + compute.lo[2], compute.size(2));
    return total;
  };
  const Totals all = parallel_sum<Totals>(ctx, compute.size(0), plane);
  for (std::size_t i = 0; i < all.v.size(); ++i) sums[i] += all.v[i];
}

template <>
void On<Backend::cpu>::evaluate(Context&, const Params&, const std::int64_t* sums, float* slope,
                                MetricSum* result) {
  measure(sums, slope, result);
}

template <>
void On<Backend::cpu>::backward(Context& ctx, const Params& p, Box, Box compute, float scale,
                                const float* slope, const Images<float>& images, View<float> grad) {
  const View<const float> fixed = images.fixed, warped = images.warped;
  const Standard of_fixed = fixed_standard(p), of_moving = moving_standard(p);
  const float per_intensity = scale * p.moving_scale;
  parallel_for(ctx, compute.size(0), [&](std::int64_t i, int) {
    const int z = compute.lo[0] + static_cast<int>(i);
    for (int y = compute.lo[1]; y < compute.hi[1]; ++y) {
      const float* f = fixed.row(z, y);
      const float* m = warped.row(z, y);
      float* g = grad.row(z, y);
#pragma omp simd
      for (int x = compute.lo[2]; x < compute.hi[2]; ++x) {
        const float value = per_intensity * voxel_slope(slope, of_fixed(f[x]), of_moving(m[x]));
        g[x] = value == value ? value : 0.0F;
      }
    }
  });
}

}  // namespace ffdp::gc
