// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <limits>

#include "ffdp/core/host_device.hpp"
#include "ffdp/ops/common/quick_math.hpp"
#include "ffdp/ops/correlation/correlation.hpp"

namespace ffdp::correlation {

/// The part of Params that a voxel needs.
template <class T>
struct Rule {
  Floor floor;
  Power power;
  T epsilon, numerator;
  T inverse_weight;  ///< 1 / sum of the weights of a window
};

template <class T>
Rule<T> rule_of(const Params& p) {
  double total = 1;
  for (const auto& taps : p.taps) {
    double sum = 0;
    for (double tap : taps) sum += tap;
    total *= sum;
  }
  return {p.floor, p.power, static_cast<T>(p.epsilon), static_cast<T>(p.numerator),
          static_cast<T>(1 / total)};
}

/// Value of one window and the coefficients of its gradient (README.md).
template <class T>
struct Terms {
  T cc, a, b, d;
};

/// The denominator D and dD/dvM.
template <class T>
struct Denominator {
  T value, slope;
};
template <class T>
FFDP_HD inline Denominator<T> denominator(const Rule<T>& rule, T vf, T vm) {
  const T e = rule.epsilon;
  if (rule.floor == Floor::product) return {vf * vm + e, vf};
  if (rule.floor == Floor::clamped_product) {
    const bool clamped = !(vf * vm > e);
    return {clamped ? e : vf * vm, clamped ? T(0) : vf};
  }
  if (rule.floor == Floor::clamped_each) {
    const T f = vf > e ? vf : e;
    return {f * (vm > e ? vm : e), vm > e ? f : T(0)};
  }
  const T f = vf + e;
  return {f * (vm + e), vm > 0 ? f : T(0)};
}

/// From the weighted sums of one window: F, M, F^2, M^2, F M. A variance as small as the
/// rounding of its sums counts as 0, and so does the covariance then. So flat patches have no
/// contrast, however far their intensity is from the centre.
template <class T>
FFDP_HD inline Terms<T> terms(const Rule<T>& rule, T f, T m, T ff, T mm, T fm) {
  constexpr T noise = 16 * std::numeric_limits<T>::epsilon();
  const T n = rule.inverse_weight, mean_f = f * n, mean_m = m * n;
  T vf = ff * n - mean_f * mean_f, vm = mm * n - mean_m * mean_m;
  const bool flat_f = !(vf > noise * mean_f * mean_f), flat_m = !(vm > noise * mean_m * mean_m);
  vf = flat_f ? T(0) : vf;
  vm = flat_m ? T(0) : vm;
  const T c = flat_f || flat_m ? T(0) : fm * n - mean_f * mean_m;
  const Denominator<T> below = denominator(rule, vf, vm);
  // A denominator of 0 gives no value, and neither does a subnormal one.
  const T inverse = below.value >= std::numeric_limits<T>::min() ? reciprocal(below.value) : T(0);
  T cc, by_c, by_vm;
  if (rule.power == Power::squared) {
    cc = (c * c + rule.numerator) * inverse;
    by_c = 2 * c * inverse;
    by_vm = -cc * inverse * below.slope;
  } else {
    by_c = root(inverse);
    cc = c * by_c;
    by_vm = T(-0.5) * cc * inverse * below.slope;
  }
  const T a = by_c * n, b = -2 * by_vm * n;
  return {cc, a, b, b * mean_m - a * mean_f};
}

}  // namespace ffdp::correlation
