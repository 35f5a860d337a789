// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "tests/support/compare.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/box.hpp"
#include "ffdp/core/noise.hpp"

namespace ffdp::test {

/// Corners, centres of faces and `inner` voxels of `box`, each once or twice.
inline std::vector<Int3> sampled_voxels(const Box& box, int inner) {
  std::vector<Int3> r;
  for (int k = 0; k < 3; ++k)
    for (int j = 0; j < 3; ++j)
      for (int i = 0; i < 3; ++i) {
        const int step[3] = {k, j, i};
        Int3 at;
        for (int a = 0; a < 3; ++a) at[a] = box.lo[a] + (box.size(a) - 1) * step[a] / 2;
        r.push_back(at);
      }
  for (int n = 0; n < inner; ++n) {
    Int3 at;
    for (int a = 0; a < 3; ++a)
      at[a] = box.lo[a] + static_cast<int>(noise(a, 0, n, 99) * static_cast<float>(box.size(a)));
    r.push_back(at);
  }
  return r;
}

/// (loss(value + h) - loss(value - h)) / 2h, h as the float type rounds it.
template <class Loss>
double central_difference(float& value, float h, Loss&& loss) {
  const float kept = value;
  value = kept + h;
  const double above = value, loss_above = loss();
  value = kept - h;
  const double below = value, loss_below = loss();
  value = kept;
  return (loss_above - loss_below) / (above - below);
}

/// The gradient matches as a vector. Under `tolerance`, neither a zero gradient nor one of opposite
/// sign would, so `want` is not zero.
inline void expect_gradient(const std::vector<double>& got, const std::vector<double>& want,
                            double tolerance) {
  const Difference difference = compare(got, want);
  EXPECT_LT(difference.relative_l2, tolerance) << difference;
  EXPECT_GT(difference.cosine, 0) << "the sign is wrong";
  std::vector<double> opposite = want;
  for (double& w : opposite) w = -w;
  const std::vector<double> zero(want.size(), 0.0);
  EXPECT_GT(compare(zero, want).relative_l2, 2 * tolerance) << "a zero gradient passes";
  EXPECT_GT(compare(opposite, want).relative_l2, 2 * tolerance) << "the opposite gradient passes";
}

}  // namespace ffdp::test
