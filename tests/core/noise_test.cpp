// SPDX-License-Identifier: Apache-2.0
#include "ffdp/core/noise.hpp"

#include <cmath>

#include <gtest/gtest.h>

namespace ffdp {
namespace {

TEST(Noise, IsUniformAndUncorrelatedAlongEveryAxis) {
  constexpr int n = 48;
  double mean = 0, variance = 0, along[3] = {};
  for (int z = 0; z < n; ++z)
    for (int y = 0; y < n; ++y)
      for (int x = 0; x < n; ++x) {
        const double v = static_cast<double>(noise(z, y, x, 1)) - 0.5;
        mean += v;
        variance += v * v;
        along[0] += v * (static_cast<double>(noise(z + 1, y, x, 1)) - 0.5);
        along[1] += v * (static_cast<double>(noise(z, y + 1, x, 1)) - 0.5);
        along[2] += v * (static_cast<double>(noise(z, y, x + 1, 1)) - 0.5);
      }
  const double count = n * n * n;
  EXPECT_LT(std::abs(mean / count), 5e-3);
  EXPECT_LT(std::abs(variance / count * 12 - 1), 1e-2);
  for (double covariance : along) EXPECT_LT(std::abs(covariance / variance), 2e-2);
}

TEST(Noise, BelongsToTheIndexAndTheSeed) {
  EXPECT_EQ(noise(3, -2, 70000, 5), noise(3, -2, 70000, 5));
  EXPECT_NE(noise(3, -2, 70000, 5), noise(3, -2, 70000, 6));
  EXPECT_NE(noise(3, -2, 70000, 5), noise(-2, 3, 70000, 5));
}

}  // namespace
}  // namespace ffdp
