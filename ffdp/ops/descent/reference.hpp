// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "ffdp/core/affine.hpp"
#include "ffdp/ops/common/reference.hpp"
#include "ffdp/ops/descent/descent.hpp"
#include "ffdp/ops/smooth/reference.hpp"

/// Double-precision oracle for tests: from the whole history of gradients, voxel by voxel.
namespace ffdp::descent::reference {

/// Direction after the last of `gradients`; moments as exponentially weighted sums over history.
inline Vec3 direction(const Params& p, const std::vector<Vec3>& gradients) {
  const auto steps = static_cast<int>(gradients.size());
  Vec3 first{}, second{};
  for (int k = 0; k < steps; ++k) {
    const double w1 = (1 - p.beta1) * std::pow(p.beta1, steps - 1 - k);
    const double w2 = (1 - p.beta2) * std::pow(p.beta2, steps - 1 - k);
    const Vec3& g = gradients[static_cast<std::size_t>(k)];
    const double squared = g[0] * g[0] + g[1] * g[1] + g[2] * g[2];
    for (int c = 0; c < 3; ++c) {
      first[c] += w1 * g[c];
      second[c] += w2 * (p.second_moment == SecondMoment::vector ? squared : g[c] * g[c]);
    }
  }
  Vec3 r;
  for (int c = 0; c < 3; ++c)
    r[c] = first[c] / (1 - std::pow(p.beta1, steps)) /
           (p.second_moment == SecondMoment::none
                ? 1
                : std::sqrt(second[c] / (1 - std::pow(p.beta2, steps))) + p.epsilon);
  return r;
}

/// The smoothed gradient at `at`.
inline Vec3 smoothed(const smooth::Params& p, const Box& domain,
                     const VectorView<const float>& grad, const Int3& at) {
  Vec3 g;
  for (int c = 0; c < 3; ++c) g[c] = smooth::reference::smoothed(p.sigma, domain, grad[c], at);
  return g;
}

/// 0 at a face, 1 from `width` voxels inside on.
inline double ramp(const Box& domain, int width, const Int3& at) {
  double factor = 1;
  for (int a = 0; a < 3; ++a) {
    if (domain.size(a) == 1 || width == 0) continue;
    const int inside = std::min(at[a] - domain.lo[a], domain.hi[a] - 1 - at[a]);
    factor *= std::min(1.0, static_cast<double>(inside) / width);
  }
  return factor;
}

/// s + u(x + s) with s = -length / divisor * direction * ramp.
inline Vec3 composed(const Step& step, double divisor, const Box& domain, const Vec3& direction,
                     const VectorView<const float>& u, const Int3& at) {
  const double scale = -step.length / divisor * ramp(domain, step.face_ramp, at);
  Vec3 s, q, r;
  for (int c = 0; c < 3; ++c) {
    s[c] = scale * direction[c];
    q[c] = at[c] + s[c];
  }
  for (int c = 0; c < 3; ++c) r[c] = s[c] + ffdp::reference::interpolate(domain, u[c], q);
  return r;
}

}  // namespace ffdp::descent::reference
