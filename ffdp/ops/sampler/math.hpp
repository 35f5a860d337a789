// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/common/trilinear.hpp"
#include "ffdp/ops/sampler/sampler.hpp"

namespace ffdp::sampler {

/// q(x) along one row of the fixed grid, in single precision from a double-precision row start:
/// q_c = start_c + step_c x + S_c . u.
struct RowMap {
  float start[3];
  float step[3];
  float s[3][3];
};

/// q_c at x = 0 of a row, for u = 0.
FFDP_HD inline float row_start(const Affine& map, int c, int z, int y) {
  return static_cast<float>(map.linear[c][0] * z + (map.linear[c][1] * y + map.translation[c]));
}

FFDP_HD inline RowMap row_map(const Params& p, int z, int y) {
  RowMap r;
  for (int c = 0; c < 3; ++c) {
    r.start[c] = row_start(p.map, c, z, y);
    r.step[c] = static_cast<float>(p.map.linear[c][2]);
    for (int k = 0; k < 3; ++k) r.s[c][k] = static_cast<float>(p.displacement_map[c][k]);
  }
  return r;
}

FFDP_HD inline float mapped(const RowMap& r, int c, float x, float uz, float uy, float ux) {
  return (r.start[c] + r.step[c] * x) + (r.s[c][0] * uz + r.s[c][1] * uy + r.s[c][2] * ux);
}

/// Component k of S^T d.
FFDP_HD inline float turned(const float (&s)[3][3], int k, float dz, float dy, float dx) {
  return s[0][k] * dz + s[1][k] * dy + s[2][k] * dx;
}

/// A slope times a factor; 0 if the slope is 0, even if the factor is NaN or infinite.
FFDP_HD inline float scaled(float slope, float factor) {
  return slope == 0.0F ? 0.0F : slope * factor;
}

}  // namespace ffdp::sampler
