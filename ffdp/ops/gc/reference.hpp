// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <vector>

#include "ffdp/core/view.hpp"

/// Double-precision oracle for tests.
namespace ffdp::gc::reference {

/// Square of Pearson's correlation: means first, then the sums about them.
inline double value(const Box& box, const View<const float>& fixed,
                    const View<const float>& warped) {
  std::vector<double> f, m;
  for (int z = box.lo[0]; z < box.hi[0]; ++z)
    for (int y = box.lo[1]; y < box.hi[1]; ++y)
      for (int x = box.lo[2]; x < box.hi[2]; ++x) {
        if (std::isnan(fixed(z, y, x)) || std::isnan(warped(z, y, x))) continue;
        f.push_back(static_cast<double>(fixed(z, y, x)));
        m.push_back(static_cast<double>(warped(z, y, x)));
      }
  double mean_f = 0, mean_m = 0;
  for (std::size_t i = 0; i < f.size(); ++i) {
    mean_f += f[i] / static_cast<double>(f.size());
    mean_m += m[i] / static_cast<double>(f.size());
  }
  double covariance = 0, variance_f = 0, variance_m = 0;
  for (std::size_t i = 0; i < f.size(); ++i) {
    covariance += (f[i] - mean_f) * (m[i] - mean_m);
    variance_f += std::pow(f[i] - mean_f, 2);
    variance_m += std::pow(m[i] - mean_m, 2);
  }
  return std::pow(covariance / std::sqrt(variance_f * variance_m), 2);
}

}  // namespace ffdp::gc::reference
