// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "ffdp/ops/common/stencil.cuh"

namespace ffdp::device {

/// 1 / (sum of the taps inside the domain), for stencils of a reach up to widest_stencil. It is a
/// kernel parameter.
struct EdgeFactors {
  Box domain;
  int radius;
  /// Indexed by the number of taps below and above the domain.
  float factor[3][widest_stencil + 1][widest_stencil + 1];

  __device__ float operator()(int axis, int i) const {
    const int below = max(domain.lo[axis] + radius - i, 0);
    const int above = max(i + radius + 1 - domain.hi[axis], 0);
    return factor[axis][below][above];
  }
  /// The factor for voxels whose taps all lie inside.
  __device__ float inside(int axis) const { return factor[axis][0][0]; }
  __device__ float operator()(int z, int y, int x) const {
    return (*this)(0, z) * (*this)(1, y) * (*this)(2, x);
  }
};

/// Weights and edge factors of three axes of taps, each of odd length up to 2 widest_stencil + 1.
struct Stencil3 {
  Weights weights{};
  EdgeFactors edge{};
  int radius = 1;

  Stencil3(const std::vector<float> (&taps)[3], const Box& domain) {
    for (const auto& t : taps) radius = std::max(radius, static_cast<int>(t.size()) / 2);
    edge.domain = domain;
    edge.radius = radius;
    for (int a = 0; a < 3; ++a) {
      const int size = 2 * radius + 1, shift = radius - static_cast<int>(taps[a].size()) / 2;
      std::copy(taps[a].begin(), taps[a].end(), weights.axis[a] + shift);
      for (int below = 0; below <= radius; ++below)
        for (int above = 0; above <= radius; ++above) {
          double sum = 0;
          for (int k = below; k < size - above; ++k) sum += weights.axis[a][k];
          edge.factor[a][below][above] = 1 / static_cast<float>(sum);
        }
    }
  }
};

}  // namespace ffdp::device
