// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>

#include "ffdp/core/view.hpp"

/// Double-precision oracle for tests: the triple product of the three chords of the map itself.
namespace ffdp::jacobian::reference {

using Point = std::array<double, 3>;

inline Point mapped(const VectorView<const float>& u, const Int3& i) {
  Point p;
  for (int c = 0; c < 3; ++c) p[c] = i[c] + static_cast<double>(u[c](i[0], i[1], i[2]));
  return p;
}

/// (phi(i + e) - phi(i - e)) / 2 along `axis`, the nearer neighbour where one is outside; the unit
/// vector along an axis of one voxel.
inline Point chord(const Box& domain, const VectorView<const float>& u, Int3 i, int axis) {
  Int3 after = i, before = i;
  after[axis] = std::min(i[axis] + 1, domain.hi[axis] - 1);
  before[axis] = std::max(i[axis] - 1, domain.lo[axis]);
  Point r{};
  if (after == before) {
    r[axis] = 1;
    return r;
  }
  const Point a = mapped(u, after), b = mapped(u, before);
  for (int c = 0; c < 3; ++c) r[c] = (a[c] - b[c]) / (after[axis] - before[axis]);
  return r;
}

inline double determinant(const Box& domain, const VectorView<const float>& u, const Int3& i) {
  const Point p = chord(domain, u, i, 0), q = chord(domain, u, i, 1), r = chord(domain, u, i, 2);
  const Point cross{q[1] * r[2] - q[2] * r[1], q[2] * r[0] - q[0] * r[2],
                    q[0] * r[1] - q[1] * r[0]};
  return p[0] * cross[0] + p[1] * cross[1] + p[2] * cross[2];
}

}  // namespace ffdp::jacobian::reference
