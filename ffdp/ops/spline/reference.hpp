// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>

#include "ffdp/core/affine.hpp"
#include "ffdp/core/view.hpp"

/// Double-precision oracle for tests: every control point from every voxel, as the formula says.
namespace ffdp::spline::reference {

/// Cubic B-spline, as the four-fold convolution of a box in truncated powers.
inline double bell(double t) {
  const auto cube = [](double v) { return v > 0 ? v * v * v : 0; };
  if (std::abs(t) >= 2) return 0;
  return (cube(t + 2) - 4 * cube(t + 1) + 6 * cube(t) - 4 * cube(t - 1) + cube(t - 2)) / 6;
}

/// The smoothed value of voxel `at` of a line of voxels [lo, hi); get(x) gives the value of voxel
/// x.
template <class Get>
double along(double knots, int lo, int hi, int at, const Get& get) {
  if (knots == 0) return get(at);
  double value = 0;
  const int controls = static_cast<int>((hi - lo) / knots) + 6;
  for (int i = -3; i < controls; ++i) {
    const double share = bell((at - lo) / knots - i);
    if (share == 0) continue;
    double sum = 0, weights = 0;
    for (int x = lo; x < hi; ++x) {
      const double u = (x - lo) / knots;
      double squares = 0;
      for (int k = -3; k < controls; ++k) squares += std::pow(bell(u - k), 2);
      const double w = std::pow(bell(u - i), 2) * bell(u - i) / squares;
      sum += w * get(x);
      weights += w;
    }
    value += share * sum / weights;
  }
  return value;
}

/// One voxel, smoothed along z of what is smoothed along y of what is smoothed along x.
inline double smoothed(const Vec3& knots, const Box& domain, const View<const float>& in,
                       const Int3& at) {
  return along(knots[0], domain.lo[0], domain.hi[0], at[0], [&](int z) {
    return along(knots[1], domain.lo[1], domain.hi[1], at[1], [&](int y) {
      return along(knots[2], domain.lo[2], domain.hi[2], at[2],
                   [&](int x) { return static_cast<double>(in(z, y, x)); });
    });
  });
}

}  // namespace ffdp::spline::reference
