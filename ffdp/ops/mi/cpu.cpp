// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "ffdp/core/parallel.hpp"
#include "ffdp/ops/mi/backends.hpp"
#include "ffdp/ops/mi/math.hpp"

namespace ffdp::mi::cpu {
namespace {

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

template <int FixedTaps, int MovingTaps>
std::int64_t add_row(const float* fixed_bin, const float* moving_bin, int n, int bins,
                     std::int64_t* joint) {
  constexpr auto one = static_cast<float>(Histogram::one);
  std::int64_t samples = 0;
  for (int x = 0; x < n; ++x) {
    if (fixed_bin[x] < 0) continue;
    ++samples;
    const int f0 = first_bin(fixed_bin[x], FixedTaps), m0 = first_bin(moving_bin[x], MovingTaps);
    float weight[MovingTaps];
    for (int k = 0; k < MovingTaps; ++k)
      weight[k] = one * window(MovingTaps, static_cast<float>(m0 + k) - moving_bin[x]);
    for (int j = 0; j < FixedTaps; ++j) {
      const float scale = window(FixedTaps, static_cast<float>(f0 + j) - fixed_bin[x]);
      std::int64_t* row = joint + static_cast<std::ptrdiff_t>(f0 + j) * bins + m0;
      for (int k = 0; k < MovingTaps; ++k)
        // NOLINTNEXTLINE(bugprone-incorrect-roundings): not negative; this one vectorises
        row[k] += static_cast<std::int32_t>(scale * weight[k] + 0.5F);
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

void accumulate(Context& ctx, const Params& p, Box, Box compute, View<const float> fixed,
                View<const float> warped, Histogram& histogram) {
  const Maps maps(p);
  const int n = compute.size(2);
  const std::size_t cells = histogram.joint.size();
  // Per worker: the histogram, the sample count and two rows of bin positions.
  const std::size_t per_worker = cells + 8 + static_cast<std::size_t>(n);
  auto* scratch = ctx.scratch<std::int64_t>(0, per_worker * ctx.threads);
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
    for (std::size_t k = 0; k < cells; ++k) histogram.joint[k] += joint[k];
    histogram.samples += joint[cells];
  }
}

void backward(Context& ctx, const Params& p, Box, Box compute, float scale, const Table& table,
              View<const float> fixed, View<const float> warped, View<float> grad) {
  const Maps maps(p);
  const int n = compute.size(2);
  auto* scratch = ctx.scratch<float>(0, 2 * static_cast<std::size_t>(n) * ctx.threads);
  parallel_for(ctx, compute.size(0), [&](std::int64_t i, int worker) {
    float* fixed_bin = scratch + 2 * static_cast<std::size_t>(n) * worker;
    float* moving_bin = fixed_bin + n;
    const int z = compute.lo[0] + static_cast<int>(i);
    for (int y = compute.lo[1]; y < compute.hi[1]; ++y) {
      row_bins(maps.fixed, maps.moving, fixed.row(z, y) + compute.lo[2],
               warped.row(z, y) + compute.lo[2], n, fixed_bin, moving_bin);
      with_taps(p.parzen, [&]<int F, int M>() {
        gradient_row<F, M>(fixed_bin, moving_bin, n, p.bins, maps.moving, scale,
                           table.derivative.data(), grad.row(z, y) + compute.lo[2]);
      });
    }
  });
}

}  // namespace ffdp::mi::cpu
