// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/affine.hpp"

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

}  // namespace ffdp::vectors
