// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <limits>

#include "ffdp/core/affine.hpp"
#include "ffdp/ops/vectors/vectors.hpp"

namespace ffdp::vectors {

/// row . v in double, rounded once.
FFDP_HD inline float product(const Vec3& row, float z, float y, float x) {
  return static_cast<float>(row[0] * static_cast<double>(z) + row[1] * static_cast<double>(y) +
                            row[2] * static_cast<double>(x));
}

/// m * v, cut to [-limit, limit].
FFDP_HD inline void transformed(const Mat3& m, float limit, const float (&v)[3], float (&r)[3]) {
  for (int c = 0; c < 3; ++c) {
    const float sum = product(m[c], v[0], v[1], v[2]);
    r[c] = sum < -limit ? -limit : sum > limit ? limit : sum;
  }
}

FFDP_HD inline float squared_length(float a, float b, float c) { return a * a + b * b + c * c; }

/// The extent of no vector.
FFDP_HD inline Extent no_extent() {
  constexpr float inf = std::numeric_limits<float>::infinity();
  return {{inf, inf, inf}, {-inf, -inf, -inf}};
}

/// Widens an extent by the component c of a vector; NaN changes nothing.
FFDP_HD inline void widen(Extent& e, int c, float value) {
  e.lo[c] = value < e.lo[c] ? value : e.lo[c];
  e.hi[c] = value > e.hi[c] ? value : e.hi[c];
}

}  // namespace ffdp::vectors
