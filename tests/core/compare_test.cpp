// SPDX-License-Identifier: Apache-2.0
// The comparisons of the tests can fail.
#include "tests/support/compare.hpp"

#include <cmath>
#include <vector>

#include "tests/support/gradient.hpp"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

namespace ffdp::test {
namespace {

using Values = std::vector<double>;
const Values want{1, -2, 3};

TEST(Compare, EqualValuesDoNotDiffer) {
  const Difference d = compare(want, want);
  EXPECT_EQ(d.relative_l2, 0);
  EXPECT_EQ(d.count, 3U);
}

TEST(Compare, NothingPassesThatIsEmptyShortLongOrNaN) {
  for (const Values& got : {Values{}, Values{1, -2}, Values{1, -2, 3, 0}, Values{1, NAN, 3}}) {
    const Difference d = compare(got, want);
    EXPECT_EQ(d.relative_l2, HUGE_VAL) << got.size();
    EXPECT_EQ(d.relative_max, HUGE_VAL) << got.size();
    EXPECT_EQ(d.bias, HUGE_VAL) << got.size();
  }
  EXPECT_EQ(compare(Values{}, Values{}).relative_l2, HUGE_VAL);
}

/// How many expectations of expect_gradient fail.
int failures(const Values& got, const Values& wanted, double tolerance) {
  testing::TestPartResultArray results;
  const testing::ScopedFakeTestPartResultReporter reporter(&results);
  expect_gradient(got, wanted, tolerance);
  return results.size();
}

TEST(ExpectGradient, AcceptsOnlyTheGradient) {
  EXPECT_EQ(failures(want, want, 1e-4), 0);
  EXPECT_GT(failures({-1, 2, -3}, want, 1e-4), 0);
  EXPECT_GT(failures({0, 0, 0}, want, 1e-4), 0);
  EXPECT_GT(failures({}, want, 1e-4), 0);
}

TEST(ExpectGradient, FailsIfItWouldAcceptZero) {
  EXPECT_GT(failures({0, 0, 0}, {0, 0, 0}, 1e-4), 0);
  EXPECT_GT(failures(want, want, 0.6), 0);
}

}  // namespace
}  // namespace ffdp::test
