// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>

#include "ffdp/core/affine.hpp"
#include "ffdp/core/view.hpp"

/// Functions that the oracles of several ops share; double precision, for tests.
namespace ffdp::reference {

/// Trilinear interpolant at q (z, y, x), edge values beyond the outer voxel centres: the sum over
/// voxels of value times the product of three hat functions.
inline double interpolate(const Box& domain, const View<const float>& image, const Vec3& q) {
  int lo[3], hi[3];
  Vec3 c;
  for (int a = 0; a < 3; ++a) {
    c[a] = std::clamp(q[a], static_cast<double>(domain.lo[a]), domain.hi[a] - 1.0);
    lo[a] = static_cast<int>(std::floor(c[a]));
    hi[a] = static_cast<int>(std::ceil(c[a]));
  }
  double sum = 0;
  for (int k = lo[0]; k <= hi[0]; ++k)
    for (int j = lo[1]; j <= hi[1]; ++j)
      for (int i = lo[2]; i <= hi[2]; ++i)
        sum += (1 - std::abs(c[0] - k)) * (1 - std::abs(c[1] - j)) * (1 - std::abs(c[2] - i)) *
               static_cast<double>(image(k, j, i));
  return sum;
}

}  // namespace ffdp::reference
