// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <vector>

#include "ffdp/core/box.hpp"
#include "ffdp/core/error.hpp"

/// Functions that several scores need.
namespace ffdp::evaluation {

/// Percentile with linear interpolation between order statistics, as numpy's default.
inline double percentile(std::vector<double>& values, double percent) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  const double position = percent / 100 * static_cast<double>(values.size() - 1);
  const auto k = static_cast<std::ptrdiff_t>(position);
  std::nth_element(values.begin(), values.begin() + k, values.end());
  const double below = values[static_cast<std::size_t>(k)];
  if (static_cast<std::size_t>(k) + 1 == values.size()) return below;
  const double above = *std::min_element(values.begin() + k + 1, values.end());
  return below + (position - static_cast<double>(k)) * (above - below);
}

inline void require_same_box(const Box& fixed, const Box& warped) {
  require(fixed == warped, "evaluate: warped is stored over " + to_string(warped) +
                               ", must be stored as fixed, over " + to_string(fixed));
}

}  // namespace ffdp::evaluation
