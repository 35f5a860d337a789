// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include "ffdp/core/parallel.hpp"
#include "ffdp/ops/mi/backends.hpp"
#include "ffdp/ops/mi/math.hpp"

namespace ffdp::mi {
namespace {

enum Slot { workers_slot };

/// Positions of one row in bins, in a buffer; NaN in either image gives -1.
void row_bins(const BinMap& fixed_map, const BinMap& moving_map, const float* fixed,
              const float* warped, int n, float* fixed_bin, float* moving_bin) {
#pragma omp simd
  for (int x = 0; x < n; ++x) {
    const bool valid = fixed[x] == fixed[x] && warped[x] == warped[x];
    fixed_bin[x] = valid ? to_bin(fixed_map, fixed[x]) : -1.0F;
    moving_bin[x] = valid ? to_bin(moving_map, warped[x]) : -1.0F;
  }
}

/// Adds one row. Weights are made for a few voxels at once, which vectorises; additions to the
/// histogram do not.
template <int FixedTaps, int MovingTaps>
std::int64_t add_row(const float* fixed_bin, const float* moving_bin, int n, int bins,
                     std::int64_t* joint) {
  constexpr auto one = static_cast<float>(Histogram::one);
  constexpr int length = 64;
  float weight[length][MovingTaps];
  int first[length];
  std::int64_t samples = 0;
  for (int begin = 0; begin < n; begin += length) {
    const int count = std::min(length, n - begin);
#pragma omp simd
    for (int i = 0; i < count; ++i) {
      const float b = moving_bin[begin + i];
      first[i] = first_bin(b, MovingTaps);
      for (int k = 0; k < MovingTaps; ++k)
        weight[i][k] = one * window(MovingTaps, static_cast<float>(first[i] + k) - b);
    }
    for (int i = 0; i < count; ++i) {
      const float b = fixed_bin[begin + i];
      if (b < 0) continue;
      ++samples;
      const int f0 = first_bin(b, FixedTaps);
      for (int j = 0; j < FixedTaps; ++j) {
        const float scale = window(FixedTaps, static_cast<float>(f0 + j) - b);
        std::int64_t* row = joint + static_cast<std::ptrdiff_t>(f0 + j) * bins + first[i];
        for (int k = 0; k < MovingTaps; ++k)
          // NOLINTNEXTLINE(bugprone-incorrect-roundings): not negative; this one vectorises
          row[k] += static_cast<std::int32_t>(scale * weight[i][k] + 0.5F);
      }
    }
  }
  return samples;
}

template <int FixedTaps, int MovingTaps>
void gradient_row(const float* fixed_bin, const float* moving_bin, int n, int bins,
                  const BinMap& moving_map, float scale, const float* table, float* grad) {
  const float per_intensity = scale * moving_map.scale;
#pragma omp simd
  for (int x = 0; x < n; ++x) {
    const float fb = fixed_bin[x], mb = moving_bin[x];
    const bool carries = fb >= 0 && mb > moving_map.first && mb < moving_map.last;
    const int f0 = fb >= 0 ? first_bin(fb, FixedTaps) : 0;
    const int m0 = fb >= 0 ? first_bin(mb, MovingTaps) : 0;
    float sum = 0;
    for (int j = 0; j < FixedTaps; ++j) {
      const float w = window(FixedTaps, static_cast<float>(f0 + j) - fb);
      float inner = 0;
      for (int k = 0; k < MovingTaps; ++k)
        inner += window_vjp(MovingTaps, static_cast<float>(m0 + k) - mb) *
                 table[(f0 + j) * bins + m0 + k];
      sum += w * inner;
    }
    grad[x] = carries ? per_intensity * sum : 0.0F;
  }
}

struct Maps {
  BinMap fixed, moving;
  explicit Maps(const Params& p)
      : fixed(bin_map(p.fixed_lo, p.fixed_hi, p.bins, padding(p.parzen))),
        moving(bin_map(p.moving_lo, p.moving_hi, p.bins, padding(p.parzen))) {}
};

}  // namespace

template <>
void On<Backend::cpu>::accumulate(Context& ctx, const Params& p, Box, Box compute,
                                  const Images<float>& images, std::int64_t* counts) {
  const View<const float> fixed = images.fixed, warped = images.warped;
  const Maps maps(p);
  const int n = compute.size(2);
  const std::size_t cells = static_cast<std::size_t>(p.bins) * p.bins;
  // Per worker: the histogram, the sample count and two rows of bin positions.
  const std::size_t per_worker = cells + 8 + static_cast<std::size_t>(n);
  auto* scratch = ctx.scratch<std::int64_t>(workers_slot, per_worker * ctx.threads);
  std::fill_n(scratch, per_worker * ctx.threads, std::int64_t{0});
  parallel_for(ctx, compute.size(0), [&](std::int64_t i, int worker) {
    std::int64_t* joint = scratch + per_worker * worker;
    auto* fixed_bin = reinterpret_cast<float*>(joint + cells + 8);
    float* moving_bin = fixed_bin + n;
    const int z = compute.lo[0] + static_cast<int>(i);
    for (int y = compute.lo[1]; y < compute.hi[1]; ++y) {
      row_bins(maps.fixed, maps.moving, fixed.row(z, y) + compute.lo[2],
               warped.row(z, y) + compute.lo[2], n, fixed_bin, moving_bin);
      with_taps(p.parzen, [&]<int F, int M>() {
        joint[cells] += add_row<F, M>(fixed_bin, moving_bin, n, p.bins, joint);
      });
    }
  });
  for (int worker = 0; worker < ctx.threads; ++worker) {
    const std::int64_t* joint = scratch + per_worker * worker;
    for (std::size_t k = 0; k <= cells; ++k) counts[k] += joint[k];
  }
}

template <>
void On<Backend::cpu>::evaluate(Context&, const Params& p, const std::int64_t* counts,
                                float* derivative, MetricSum* result) {
  const int bins = p.bins;
  const std::size_t cells = static_cast<std::size_t>(bins) * bins;
  std::vector<std::int64_t> of_fixed(bins, 0), of_moving(bins, 0);
  std::int64_t all = 0;
  for (int f = 0; f < bins; ++f)
    for (int m = 0; m < bins; ++m) {
      of_fixed[f] += counts[f * bins + m];
      of_moving[m] += counts[f * bins + m];
      all += counts[f * bins + m];
    }
  *result = {0, static_cast<double>(counts[cells])};
  std::fill_n(derivative, cells, 0.0F);
  if (all == 0) return;
  const auto total = static_cast<double>(all);
  const auto probability = [&](std::int64_t count) { return static_cast<double>(count) / total; };
  double joint = 0, marginals = 0;
  for (std::size_t i = 0; i < cells; ++i) joint += entropy(probability(counts[i]));
  std::vector<double> log_fixed(bins), log_moving(bins);
  for (int k = 0; k < bins; ++k) {
    const double pf = probability(of_fixed[k]), pm = probability(of_moving[k]);
    marginals += entropy(pf) + entropy(pm);
    log_fixed[k] = bounded_log(pf, total);
    log_moving[k] = bounded_log(pm, total);
  }
  const MeasureTerms terms = measure_terms(p.measure, joint, marginals);
  result->value = terms.value;
  std::vector<double> slope(cells);
  double mean = 0;
  for (std::size_t i = 0; i < cells; ++i) {
    const double pj = probability(counts[i]);
    slope[i] = terms.w_j * bounded_log(pj, total) -
               terms.w_m * (log_fixed[i / bins] + log_moving[i % bins]);
    mean += pj * slope[i];
  }
  const double per_count = static_cast<double>(Histogram::one) / total;
  for (std::size_t i = 0; i < cells; ++i)
    derivative[i] = static_cast<float>((slope[i] - mean) * per_count);
}

template <>
void On<Backend::cpu>::backward(Context& ctx, const Params& p, Box, Box compute, float scale,
                                const float* derivative, const Images<float>& images,
                                View<float> grad) {
  const View<const float> fixed = images.fixed, warped = images.warped;
  const Maps maps(p);
  const int n = compute.size(2);
  auto* scratch = ctx.scratch<float>(workers_slot, 2 * static_cast<std::size_t>(n) * ctx.threads);
  parallel_for(ctx, compute.size(0), [&](std::int64_t i, int worker) {
    float* fixed_bin = scratch + 2 * static_cast<std::size_t>(n) * worker;
    float* moving_bin = fixed_bin + n;
    const int z = compute.lo[0] + static_cast<int>(i);
    for (int y = compute.lo[1]; y < compute.hi[1]; ++y) {
      row_bins(maps.fixed, maps.moving, fixed.row(z, y) + compute.lo[2],
               warped.row(z, y) + compute.lo[2], n, fixed_bin, moving_bin);
      with_taps(p.parzen, [&]<int F, int M>() {
        gradient_row<F, M>(fixed_bin, moving_bin, n, p.bins, maps.moving, scale, derivative,
                           grad.row(z, y) + compute.lo[2]);
      });
    }
  });
}

}  // namespace ffdp::mi
