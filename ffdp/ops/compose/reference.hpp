// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/common/reference.hpp"

/// Double-precision oracle for tests.
namespace ffdp::compose::reference {

/// k s(x) + u(x + k s(x)).
inline Vec3 composed(double k, const Box& domain, const VectorView<const float>& step,
                     const VectorView<const float>& u, const Int3& at) {
  Vec3 move, point;
  for (int c = 0; c < 3; ++c) {
    move[c] = k * static_cast<double>(step[c](at[0], at[1], at[2]));
    point[c] = at[c] + move[c];
  }
  for (int c = 0; c < 3; ++c) move[c] += ffdp::reference::interpolate(domain, u[c], point);
  return move;
}

}  // namespace ffdp::compose::reference
