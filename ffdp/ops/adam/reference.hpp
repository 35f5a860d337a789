// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <vector>

#include "ffdp/core/affine.hpp"
#include "ffdp/ops/adam/adam.hpp"

/// Double-precision oracle for tests: the whole history of gradients of one voxel.
namespace ffdp::adam::reference {

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

}  // namespace ffdp::adam::reference
