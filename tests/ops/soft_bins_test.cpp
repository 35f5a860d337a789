// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/soft_bins/soft_bins.hpp"

#include <cmath>
#include <vector>

#include "tests/support/compare.hpp"
#include "tests/support/context.hpp"
#include "tests/support/fields.hpp"
#include "tests/support/gradient.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"
#include "ffdp/core/noise.hpp"
#include "ffdp/ops/soft_bins/reference.hpp"

namespace ffdp::soft_bins {
namespace {

constexpr int voxels = 1237;

template <class Got, class Want>
double l2(const Got& got, const Want& want) {
  return test::compare(got, want).relative_l2;
}

/// Some of it beyond the range [0, 1], some at its ends.
template <class T>
std::vector<T> image(int seed) {
  std::vector<T> values(voxels);
  for (int i = 0; i < voxels; ++i)
    values[i] = i % 50 == 0 ? T(i % 100 == 0) : T(1.2F * noise(0, 0, i, seed) - 0.1F);
  return values;
}

/// An arbitrary table, which is not symmetric.
template <class T>
std::vector<T> table_of(int bins) {
  std::vector<T> table(static_cast<std::size_t>(bins) * bins);
  for (std::size_t i = 0; i < table.size(); ++i)
    table[i] = T(noise(0, 1, static_cast<int>(i), 7) - 0.5F);
  return table;
}

class SoftBins : public testing::TestWithParam<Params> {
 protected:
  Params params = GetParam();
  std::vector<float> a = image<float>(1), b = image<float>(2);
  std::vector<float> table = table_of<float>(params.bins);

  template <class T>
  std::vector<double> joint_of(const std::vector<T>& first, const std::vector<T>& second,
                               int threads) const {
    Context ctx;
    ctx.threads = threads;
    std::vector<double> cells(static_cast<std::size_t>(params.bins) * params.bins);
    accumulate<T>(ctx, params, voxels, first.data(), second.data(), cells.data());
    return cells;
  }
  std::vector<double> joint(int threads = 2) const { return joint_of(a, b, threads); }
  template <class T>
  std::vector<T> gradient_of(const std::vector<T>& first, const std::vector<T>& second,
                             const std::vector<T>& weights) const {
    Context ctx;
    ctx.threads = 2;
    std::vector<T> grad(voxels, T(99));
    backward<T>(ctx, params, voxels, first.data(), second.data(), weights.data(), grad.data());
    return grad;
  }
  std::vector<float> gradient() const { return gradient_of(a, b, table); }
  double weighted(const std::vector<double>& cells) const {
    double sum = 0;
    for (std::size_t i = 0; i < cells.size(); ++i) sum += cells[i] * double(table[i]);
    return sum;
  }
};
INSTANTIATE_TEST_SUITE_P(Settings, SoftBins,
                         testing::Values(Params{},
                                         Params{.bins = 23, .sigma = 0.5, .range_b = {-0.05, 1.1}},
                                         Params{.bins = 64, .sigma = 1, .range_a = {0.1, 0.9}},
                                         Params{.bins = 2, .sigma = 0.3},
                                         Params{.bins = 128, .sigma = 3},
                                         Params{.bins = 40, .sigma = 0.7, .ends = Ends::steep}));

TEST_P(SoftBins, ValueMatchesReference) {
  const auto want = reference::joint(params, a, b);
  EXPECT_LT(l2(joint(), want), 1e-6);
  const auto a64 = image<double>(1), b64 = image<double>(2);
  EXPECT_LT(l2(joint_of(a64, b64, 2), reference::joint(params, a64, b64)), 1e-14);
}

TEST_P(SoftBins, AVoxelIsCountedOnce) {
  double sum = 0;
  for (const double cell : joint()) sum += cell;
  EXPECT_NEAR(sum, voxels, 1e-6 * voxels);
}

TEST_P(SoftBins, GradientMatchesFiniteDifferencesOfReference) {
  const auto grad = gradient();
  std::vector<double> got, want;
  for (int i = 1; i < voxels; i += 31) {
    if (std::abs(a[i] - params.range_a[0]) < 0.01 || std::abs(a[i] - params.range_a[1]) < 0.01)
      continue;  // the kink
    got.push_back(double(grad[i]));
    want.push_back(test::central_difference(a[i], 1e-4F, [&] {
      return weighted(reference::joint(params, std::vector{a[i]}, std::vector{b[i]}));
    }));
  }
  EXPECT_LT(l2(got, want), 1e-4);
  EXPECT_GT(l2(std::vector<double>(want.size()), want), 0.5);
}

TEST_P(SoftBins, DoubleHasTheGradientOfFloatAndMoreDigits) {
  const auto a64 = image<double>(1), b64 = image<double>(2);
  const auto got = gradient_of(a64, b64, std::vector<double>(table.begin(), table.end()));
  EXPECT_LT(l2(gradient(), got), 2e-5);
}

TEST_P(SoftBins, TheSlopeAtAnEndIsAsAsked) {
  for (const double end : params.range_a) {
    a.assign(voxels, static_cast<float>(end));
    const double slope = std::abs(double(gradient()[5]));
    if (params.ends == Ends::steep)
      EXPECT_GT(slope, 1e-3) << end;
    else
      EXPECT_EQ(slope, 0) << end;
  }
}

TEST_P(SoftBins, ThreadsDoNotChangeABit) { EXPECT_EQ(joint(1), joint(3)); }

TEST_P(SoftBins, NanIsSeen) {
  a[7] = test::nan;
  double sum = 0;
  for (const double cell : joint()) sum += cell;
  EXPECT_TRUE(std::isnan(sum));
}

TEST(SoftBinsInput, MayLieHalfwayBetweenTheNarrowestGaussians) {
  const Params p{.bins = 3, .sigma = 0.05};
  const float a = 0.25F, b = 1;
  double joint[9] = {};
  Context ctx;
  accumulate<float>(ctx, p, 1, &a, &b, joint);
  EXPECT_NEAR(joint[2], 0.5, 1e-6);  // bins 0 and 1 of a, bin 2 of b
  EXPECT_NEAR(joint[5], 0.5, 1e-6);
}

TEST(SoftBinsInput, IsRefusedInOneLine) {
  Context ctx;
  const auto run = [&](const Params& p, std::int64_t n) {
    accumulate<float>(ctx, p, n, nullptr, nullptr, nullptr);
  };
  EXPECT_THROW(run({}, -1), InvalidArgument);
  for (const int bins : {1, 129}) EXPECT_THROW(run({.bins = bins}, 0), InvalidArgument) << bins;
  for (const double sigma : {0.0, 0.04, 17.0, std::nan("")})
    EXPECT_THROW(run({.sigma = sigma}, 0), InvalidArgument) << sigma;
  EXPECT_THROW(run({.range_a = {1, 1}}, 0), InvalidArgument);
  EXPECT_THROW(run({.range_b = {0, INFINITY}}, 0), InvalidArgument);
}

}  // namespace
}  // namespace ffdp::soft_bins
