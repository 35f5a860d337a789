// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>

#include "ffdp/core/view.hpp"

/// Double-precision oracle for tests.
namespace ffdp::mse::reference {

inline double sum(const Box& box, const View<const float>& fixed, const View<const float>& warped) {
  double total = 0;
  for (int z = box.lo[0]; z < box.hi[0]; ++z)
    for (int y = box.lo[1]; y < box.hi[1]; ++y)
      for (int x = box.lo[2]; x < box.hi[2]; ++x) {
        const double d = static_cast<double>(fixed(z, y, x)) - static_cast<double>(warped(z, y, x));
        if (!std::isnan(d)) total += std::pow(d, 2);
      }
  return total;
}

}  // namespace ffdp::mse::reference
