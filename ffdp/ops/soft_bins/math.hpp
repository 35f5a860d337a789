// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "ffdp/core/host_device.hpp"
#include "ffdp/ops/soft_bins/soft_bins.hpp"

namespace ffdp::soft_bins {

/// The bins of one image.
template <class T>
struct Axis {
  T lo, hi;    ///< [intensity]
  T per_unit;  ///< [bins / intensity]
  T last;      ///< the last bin
  T exponent;  ///< weights are 2^(exponent d^2) at a distance of d bins
  int reach;   ///< bins on each side of a voxel; what lies beyond is less than the rounding
};

template <class T>
Axis<T> axis_of(const Params& p, const std::array<double, 2>& range) {
  constexpr double digits = std::is_same_v<T, float> ? 25 : 53;  // weights below 2^-digits
  const double exponent = -0.5 * 1.4426950408889634 / (p.sigma * p.sigma);
  return {static_cast<T>(range[0]),
          static_cast<T>(range[1]),
          static_cast<T>((p.bins - 1) / (range[1] - range[0])),
          static_cast<T>(p.bins - 1),
          static_cast<T>(exponent),
          std::min(p.bins, static_cast<int>(std::ceil(std::sqrt(-digits / exponent))))};
}

/// Intensity to position among the bins, whose centres lie on integers. NaN stays.
template <class T>
FFDP_HD T to_bin(const Axis<T>& axis, T value) {
  const T at = (value - axis.lo) * axis.per_unit;
  return at < 0 ? T{0} : at > axis.last ? axis.last : at;
}

/// Whether the position follows the intensity.
template <class T>
FFDP_HD bool follows(const Axis<T>& axis, Ends ends, T value) {
  return ends == Ends::steep ? value >= axis.lo && value <= axis.hi
                             : value > axis.lo && value < axis.hi;
}

/// The bins that a voxel reaches, and the sums of their weights and of weight times distance.
template <class T>
struct Reach {
  int first, end;
  T sum, moment;
};
/// Calls keep(k, w) with the weight w of the k-th of these bins, before it is divided by the sum.
template <class T, class Keep>
FFDP_HD Reach<T> reach_of(const Axis<T>& axis, T at, Keep&& keep) {
  const int below = at == at ? static_cast<int>(at) : 0, last = static_cast<int>(axis.last);
  Reach<T> r{below - axis.reach + 1, below + axis.reach + 1, 0, 0};
  if (r.first < 0) r.first = 0;
  if (r.end > last + 1) r.end = last + 1;
  for (int k = r.first; k < r.end; ++k) {
    const T d = static_cast<T>(k) - at, w = std::exp2(axis.exponent * d * d);
    keep(k - r.first, w);
    r.sum += w;
    r.moment += w * d;
  }
  return r;
}

/// Derivative of a weight w w.r.t. the position is -2 ln 2 exponent w (d - mean of d).
template <class T>
FFDP_HD T slope_factor(const Axis<T>& axis) {
  return static_cast<T>(-2 * 0.6931471805599453) * axis.exponent;
}

}  // namespace ffdp::soft_bins
