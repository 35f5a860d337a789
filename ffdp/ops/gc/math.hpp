// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/host_device.hpp"
#include "ffdp/ops/gc/gc.hpp"

/// Arithmetic of a voxel and of the measure, for all backends.
namespace ffdp::gc {

/// Converts an intensity to the value that enters the sums.
struct Standard {
  float centre, scale;
  FFDP_HD float operator()(float intensity) const { return (intensity - centre) * scale; }
};
inline Standard fixed_standard(const Params& p) { return {p.fixed_centre, p.fixed_scale}; }
inline Standard moving_standard(const Params& p) { return {p.moving_centre, p.moving_scale}; }

/// An image with a smaller variance counts as constant: rounding can leave this much [1 / scale^2].
inline constexpr double least_variance = 1e-6;

/// Writes the measure to `result` and its slope to `slope`.
/// @param s, slope  gc::Sums and gc::Slope, as plain numbers
FFDP_HD inline void measure(const std::int64_t* s, float* slope, MetricSum* result) {
  const auto n = static_cast<double>(s[0]);
  *result = {0, n};
  slope[0] = slope[1] = slope[2] = 0;
  if (s[0] == 0) return;
  constexpr double unit = 1.0 / one;
  const double f = static_cast<double>(s[1]) * unit / n, m = static_cast<double>(s[2]) * unit / n;
  const double ff = static_cast<double>(s[3]) * unit / n - f * f;
  const double mm = static_cast<double>(s[4]) * unit / n - m * m;
  const double fm = static_cast<double>(s[5]) * unit / n - f * m;
  if (!(ff > least_variance && mm > least_variance)) return;
  result->value = fm * fm / (ff * mm);
  const double a = 2 * fm / (n * ff * mm), b = a * fm / mm;
  slope[0] = static_cast<float>(a);
  slope[1] = static_cast<float>(b);
  slope[2] = static_cast<float>(b * m - a * f);
}

/// d value / d moving of one voxel, centred and scaled.
FFDP_HD inline float voxel_slope(const float* slope, float f, float m) {
  return slope[0] * f - slope[1] * m + slope[2];
}

}  // namespace ffdp::gc
