// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>

#include "ffdp/core/affine.hpp"
#include "ffdp/core/view.hpp"

/// Double-precision oracle for tests.
namespace ffdp::smooth::reference {

/// Mass of a Gaussian over the voxel k of an axis; a delta for sigma 0.
inline double mass(double sigma, int k) {
  if (sigma == 0) return k == 0 ? 1 : 0;
  if (std::abs(k) > static_cast<int>(std::ceil(3 * sigma))) return 0;
  const auto below = [&](double t) { return 0.5 * std::erfc(-t / (sigma * std::sqrt(2.0))); };
  return below(k + 0.5) - below(k - 0.5);
}

/// The three-dimensional sum, weights of what lies in the domain scaled to 1.
inline double smoothed(const Vec3& sigma, const Box& domain, const View<const float>& in,
                       const Int3& at) {
  double sum = 0, weights = 0;
  for (int k = domain.lo[0]; k < domain.hi[0]; ++k)
    for (int j = domain.lo[1]; j < domain.hi[1]; ++j)
      for (int i = domain.lo[2]; i < domain.hi[2]; ++i) {
        const double w =
            mass(sigma[0], k - at[0]) * mass(sigma[1], j - at[1]) * mass(sigma[2], i - at[2]);
        if (w == 0) continue;
        weights += w;
        sum += w * static_cast<double>(in(k, j, i));
      }
  return sum / weights;
}

}  // namespace ffdp::smooth::reference
