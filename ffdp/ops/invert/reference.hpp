// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>

#include "ffdp/ops/common/reference.hpp"

/// Double-precision oracle for tests: what an inverse must fulfil.
namespace ffdp::invert::reference {

/// Length of v(x) + u(x + v(x)) [voxels].
inline double residual(const Box& domain, const VectorView<const float>& u,
                       const VectorView<const float>& v, const Int3& at) {
  Vec3 move, point;
  for (int c = 0; c < 3; ++c) {
    move[c] = static_cast<double>(v[c](at[0], at[1], at[2]));
    point[c] = at[c] + move[c];
  }
  for (int c = 0; c < 3; ++c) move[c] += ffdp::reference::interpolate(domain, u[c], point);
  return std::hypot(move[0], move[1], move[2]);
}

}  // namespace ffdp::invert::reference
