// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/affine.hpp"

namespace ffdp::vectors {

/// m * v in double, rounded once and cut to [-limit, limit].
FFDP_HD inline void transformed(const Mat3& m, float limit, const float (&v)[3], float (&r)[3]) {
  for (int c = 0; c < 3; ++c) {
    const auto sum = static_cast<float>(m[c][0] * static_cast<double>(v[0]) +
                                        m[c][1] * static_cast<double>(v[1]) +
                                        m[c][2] * static_cast<double>(v[2]));
    r[c] = sum < -limit ? -limit : sum > limit ? limit : sum;
  }
}

}  // namespace ffdp::vectors
