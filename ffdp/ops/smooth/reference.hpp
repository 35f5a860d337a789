// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
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

/// Component c of v + weight grad(div v), differences of neighbours; beyond the domain the field
/// goes on with its last value.
inline double damped(const VectorView<const float>& v, const Box& domain, double weight, int c,
                     const Int3& at) {
  const auto value = [&](int component, int axis, int step, int other, int more) {
    Int3 to = at;
    to[axis] += step;
    to[other] += more;
    for (int a = 0; a < 3; ++a) to[a] = std::clamp(to[a], domain.lo[a], domain.hi[a] - 1);
    return static_cast<double>(v[component](to[0], to[1], to[2]));
  };
  double sum = value(c, c, 1, c, 0) - 2 * value(c, c, 0, c, 0) + value(c, c, -1, c, 0);
  for (int k = 0; k < 3; ++k) {
    if (k == c) continue;
    for (int i : {-1, 1})
      for (int j : {-1, 1}) sum += i * j * value(k, c, i, k, j) / 4;
  }
  return value(c, c, 0, c, 0) + weight * sum;
}

}  // namespace ffdp::smooth::reference
