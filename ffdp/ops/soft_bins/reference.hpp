// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "ffdp/ops/soft_bins/soft_bins.hpp"

/// Double-precision oracle for tests: every bin of every voxel.
namespace ffdp::soft_bins::reference {

inline std::vector<double> weights(const Params& p, const std::array<double, 2>& range,
                                   double value) {
  std::vector<double> w(static_cast<std::size_t>(p.bins));
  const double width = (range[1] - range[0]) / (p.bins - 1);
  double sum = 0;
  for (int k = 0; k < p.bins; ++k) {
    const double centre = range[0] + k * width;
    const double d = (std::clamp(value, range[0], range[1]) - centre) / (p.sigma * width);
    sum += w[k] = std::exp(-d * d / 2);
  }
  for (double& one : w) one /= sum;
  return w;
}

template <class T>
std::vector<double> joint(const Params& p, const std::vector<T>& a, const std::vector<T>& b) {
  std::vector<double> cells(static_cast<std::size_t>(p.bins) * p.bins);
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto wa = weights(p, p.range_a, double(a[i])), wb = weights(p, p.range_b, double(b[i]));
    for (int j = 0; j < p.bins; ++j)
      for (int k = 0; k < p.bins; ++k) cells[j * p.bins + k] += wa[j] * wb[k];
  }
  return cells;
}

}  // namespace ffdp::soft_bins::reference
