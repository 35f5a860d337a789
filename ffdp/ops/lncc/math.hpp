// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/host_device.hpp"
#include "ffdp/ops/common/quick_math.hpp"

namespace ffdp::lncc {

/// Value of one window and the three coefficients of its gradient (README.md beside this file).
template <class T>
struct Terms {
  T cc;  ///< c^2 / (vF vM)
  T a;   ///< 2 c / (n vF vM)
  T b;   ///< a c / vM
  T d;   ///< b E[M] - a E[F]
};

/// From the weighted sums of one window: 1/n, F, M, F^2, M^2, F M.
template <class T>
FFDP_HD inline Terms<T> terms(T inv_n, T f, T m, T ff, T mm, T fm, T fixed_floor, T moving_floor) {
  const T mean_f = f * inv_n, mean_m = m * inv_n;
  const T var_f = ff * inv_n - mean_f * mean_f;
  const T var_m = mm * inv_n - mean_m * mean_m;
  const T cov = fm * inv_n - mean_f * mean_m;
  const bool contrast = var_f > fixed_floor && var_m > moving_floor;
  const T inv_m = contrast ? reciprocal(var_m) : T(0);
  const T inv_f = contrast ? reciprocal(var_f) : T(0);
  const T ratio = cov * inv_m * inv_f;
  const T a = 2 * ratio * inv_n;
  const T b = a * cov * inv_m;
  return {ratio * cov, a, b, b * mean_m - a * mean_f};
}

}  // namespace ffdp::lncc
