// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>

#include "ffdp/core/host_device.hpp"
#include "ffdp/ops/mi/mi.hpp"

namespace ffdp::mi {

/// Bins on each side of the robust range that only window tails reach.
constexpr int padding(Parzen parzen) { return parzen == Parzen::gaussian ? 4 : 2; }

/// Intensity to continuous bin, bin centres on integers; the range [lo, hi] maps to
/// [padding, bins - 1 - padding].
struct BinMap {
  float scale, offset, first, last;
};

inline BinMap bin_map(float lo, float hi, int bins, int pad) {
  const double scale = (bins - 1 - 2 * pad) / (static_cast<double>(hi) - lo);
  return {static_cast<float>(scale), static_cast<float>(pad - lo * scale), static_cast<float>(pad),
          static_cast<float>(bins - 1 - pad)};
}

FFDP_HD inline float to_bin(const BinMap& map, float value) {
  const float b = value * map.scale + map.offset;
  return b < map.first ? map.first : b > map.last ? map.last : b;
}

/// First bin a sample at `b` touches with `taps` taps.
FFDP_HD inline int first_bin(float b, int taps) {
  // NOLINTNEXTLINE(bugprone-incorrect-roundings): bins are not negative, and this one vectorises
  return taps == 4 ? static_cast<int>(b) - 1 : static_cast<int>(b + 0.5F) - taps / 2;
}

/// Parzen weight at distance d = bin - b [bins].
FFDP_HD inline float window(int taps, float d) {
  if (taps == 1) return 1.0F;
  if (taps == 9) return 0.39894228F * std::exp(-0.5F * d * d);
  const float a = d < 0 ? -d : d;
  const float outer = 2 - a;
  return a < 1 ? (4 - 6 * a * a + 3 * a * a * a) * (1.0F / 6) : outer * outer * outer * (1.0F / 6);
}

/// Derivative of the weight w.r.t. b.
FFDP_HD inline float window_vjp(int taps, float d) {
  if (taps == 1) return 0.0F;
  if (taps == 9) return 0.39894228F * d * std::exp(-0.5F * d * d);
  const float a = d < 0 ? -d : d, sign = d < 0 ? -1.0F : 1.0F;
  const float outer = 2 - a;
  return sign * (a < 1 ? 2 * a - 1.5F * a * a : 0.5F * outer * outer);
}

/// Entropy of one cell [nat].
FFDP_HD inline double entropy(double probability) {
  return probability > 0 ? -probability * std::log(probability) : 0;
}

/// The measure from its entropies, and the weights of the logarithms in
/// d value / d P = w_j log PJ - w_m (log PF + log PM), up to a constant. The constant drops out
/// because the histogram is normalised (P = H / total).
struct MeasureTerms {
  double value, w_j, w_m;
};
FFDP_HD inline MeasureTerms measure_terms(Measure measure, double joint, double marginals) {
  if (measure == Measure::mutual_information) return {marginals - joint, 1, 1};
  if (!(joint > 0)) return {0, 0, 0};
  return {marginals / joint, marginals / (joint * joint), 1 / joint};
}

/// Logarithm of a probability. An empty bin, whose slope would be -infinity, counts as if it held a
/// hundredth of a voxel.
FFDP_HD inline double bounded_log(double probability, double total) {
  const double tiny = 0.01 * static_cast<double>(Histogram::one) / total;
  return std::log(probability > tiny ? probability : tiny);
}

/// Calls body.operator()<fixed taps, moving taps>() for the window.
template <class Body>
void with_taps(Parzen parzen, Body&& body) {
  switch (parzen) {
    case Parzen::mattes:
      return body.template operator()<1, 4>();
    case Parzen::cubic:
      return body.template operator()<4, 4>();
    case Parzen::gaussian:
      return body.template operator()<9, 9>();
  }
}

}  // namespace ffdp::mi
