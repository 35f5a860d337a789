// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>

#include "ffdp/core/affine.hpp"
#include "ffdp/core/view.hpp"

/// Double-precision oracle for tests.
namespace ffdp::slopes::reference {

/// D warped(x) along one axis: the mean of the rises to both neighbours that are there.
inline double slope(const Box& domain, View<const float> warped, const Int3& x, int axis) {
  const auto value = [&](int by) {
    Int3 at = x;
    at[axis] += by;
    return domain.contains(at[0], at[1], at[2]) ? double(warped(at[0], at[1], at[2])) : NAN;
  };
  double sum = 0;
  int rises = 0;
  for (const int by : {-1, 1}) {
    const double rise = by * (value(by) - value(0));
    if (std::isnan(rise)) continue;
    sum += rise;
    ++rises;
  }
  return rises ? sum / rises : 0;
}

}  // namespace ffdp::slopes::reference
