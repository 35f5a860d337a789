// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <vector>

namespace ffdp {

/// Reach of the taps of a Gaussian [voxels]: at least 3 sigma; 0 for sigma 0.
inline int gaussian_radius(double sigma) { return static_cast<int>(std::ceil(3 * sigma)); }

/// Gaussian of `sigma` [voxels] integrated over each voxel, truncated at gaussian_radius, sum 1.
inline std::vector<float> gaussian_taps(double sigma) {
  const int radius = gaussian_radius(sigma);
  std::vector<double> taps(2 * radius + 1, 1.0);
  double sum = radius ? 0.0 : 1.0;
  for (int k = -radius; radius && k <= radius; ++k) {
    const double scale = 1 / (sigma * std::sqrt(2.0));
    taps[k + radius] = 0.5 * (std::erf((k + 0.5) * scale) - std::erf((k - 0.5) * scale));
    sum += taps[k + radius];
  }
  std::vector<float> result;
  result.reserve(taps.size());
  for (double tap : taps) result.push_back(static_cast<float>(tap / sum));
  return result;
}

}  // namespace ffdp
