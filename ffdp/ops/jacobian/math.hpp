// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/host_device.hpp"

namespace ffdp::jacobian {

/// The two voxels whose difference, times `scale`, is the derivative at voxel i of an axis.
struct Stencil {
  int below;
  int above;
  float scale;  ///< 1 / (above - below), 0 along an axis of one voxel
};

FFDP_HD constexpr Stencil stencil(int i, int lo, int hi) {
  const int below = i > lo ? i - 1 : i;
  const int above = i + 1 < hi ? i + 1 : i;
  return {below, above, above > below ? 1.0F / static_cast<float>(above - below) : 0.0F};
}

/// det(I + d) with d[component][axis] = du_component / d(axis).
template <class T>
FFDP_HD constexpr T determinant(const T (&d)[3][3]) {
  const T zz = 1 + d[0][0], yy = 1 + d[1][1], xx = 1 + d[2][2];
  return zz * (yy * xx - d[1][2] * d[2][1]) - d[0][1] * (d[1][0] * xx - d[1][2] * d[2][0]) +
         d[0][2] * (d[1][0] * d[2][1] - yy * d[2][0]);
}

}  // namespace ffdp::jacobian
