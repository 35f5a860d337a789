// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <limits>

#include "ffdp/ops/common/reference.hpp"
#include "ffdp/ops/sampler/sampler.hpp"

/// Double-precision oracle for tests.
namespace ffdp::sampler::reference {

/// q = A x + t + S u.
inline Vec3 position(const Params& p, const Vec3& x, const Vec3& u) {
  Vec3 q = p.map(x);
  for (int c = 0; c < 3; ++c)
    for (int k = 0; k < 3; ++k) q[c] += p.displacement_map[c][k] * u[k];
  return q;
}

inline bool inside(const Box& domain, const Vec3& q) {
  for (int a = 0; a < 3; ++a)
    if (!(q[a] >= domain.lo[a] - 0.5 && q[a] < domain.hi[a] - 0.5)) return false;
  return true;
}

/// I(q), NaN outside.
inline double sample(const Params& p, const View<const float>& moving, const Vec3& x,
                     const Vec3& u) {
  const Vec3 q = position(p, x, u);
  if (!inside(p.moving_domain, q)) return std::numeric_limits<double>::quiet_NaN();
  return ffdp::reference::interpolate(p.moving_domain, moving, q);
}

}  // namespace ffdp::sampler::reference
