// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <map>

#include "ffdp/core/affine.hpp"
#include "ffdp/core/box.hpp"

/// Double-precision oracle: sums over every voxel of a padded domain with the kernel's formula.
/// Only tests include it.
namespace ffdp::points::reference {

using Voxel = std::function<double(int z, int y, int x)>;
using Kernel = std::function<double(double t)>;

inline double tent(double t) { return std::abs(t) < 1 ? 1 - std::abs(t) : 0; }

inline double cubic_bspline(double t) {
  t = std::abs(t);
  if (t >= 2) return 0;
  if (t >= 1) return (2 - t) * (2 - t) * (2 - t) / 6;
  return (4 - 6 * t * t + 3 * t * t * t) / 6;
}

inline double hamming_sinc4(double t) {
  const double pi = std::acos(-1.0);
  // The window covers the four voxels on either side: (-4, 4].
  if (t <= -4 || t > 4) return 0;
  return t == 0 ? 1 : std::sin(pi * t) / (pi * t) * (0.54 + 0.46 * std::cos(pi * t / 4));
}

inline bool is_inside(const Box& domain, const Vec3& q) {
  bool in = true;
  for (int a = 0; a < 3; ++a) in = in && q[a] >= domain.lo[a] - 0.5 && q[a] < domain.hi[a] - 0.5;
  return in;
}

/// Sum over all voxels p of the domain, extended by `pad`, of k(q - p) * voxel(p).
/// `voxel` must answer for indices beyond the domain by its own edge rule.
inline double value(const Box& domain, const Vec3& q, int pad, const Kernel& k,
                    const Voxel& voxel) {
  double sum = 0;
  for (int z = domain.lo[0] - pad; z < domain.hi[0] + pad; ++z)
    for (int y = domain.lo[1] - pad; y < domain.hi[1] + pad; ++y)
      for (int x = domain.lo[2] - pad; x < domain.hi[2] + pad; ++x) {
        const double w = k(q[0] - z) * k(q[1] - y) * k(q[2] - x);
        if (w != 0) sum += w * voxel(z, y, x);
      }
  return sum;
}

/// The label whose indicator image has the largest trilinear value, the smallest in a tie.
inline std::int64_t vote(const Box& domain, const Vec3& q,
                         const std::function<std::int64_t(int, int, int)>& label) {
  std::map<std::int64_t, double> votes;
  for (int z = domain.lo[0] - 1; z <= domain.hi[0]; ++z)
    for (int y = domain.lo[1] - 1; y <= domain.hi[1]; ++y)
      for (int x = domain.lo[2] - 1; x <= domain.hi[2]; ++x)
        votes[label(z, y, x)] += tent(q[0] - z) * tent(q[1] - y) * tent(q[2] - x);
  auto best = votes.begin();
  for (auto it = votes.begin(); it != votes.end(); ++it)
    if (it->second > best->second) best = it;
  return best->first;
}

}  // namespace ffdp::points::reference
