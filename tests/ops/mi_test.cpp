// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/mi/mi.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tests/support/compare.hpp"
#include "tests/support/fields.hpp"
#include "tests/support/gradient.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"
#include "ffdp/ops/mi/reference.hpp"

namespace ffdp::mi {
namespace {

Context context(int threads) {
  Context ctx;
  ctx.threads = threads;
  return ctx;
}

struct Setting {
  Box domain;
  Parzen parzen;
  Measure measure;
};

class Mi : public testing::TestWithParam<Setting> {
 protected:
  Box domain = GetParam().domain;
  Params params = {.bins = 24,
                   .parzen = GetParam().parzen,
                   .measure = GetParam().measure,
                   .fixed_lo = 0.15F,
                   .fixed_hi = 0.9F,
                   .moving_lo = 0.5F,
                   .moving_hi = 0.8F};
  Field<float> fixed = test::image(domain, 1);
  Field<float> warped = test::make_field(domain, [this](int z, int y, int x) {
    const double f = static_cast<double>(fixed.view()(z, y, x));
    if (noise(z, y, x, 41) < 0.02F) return std::nan("");
    return 0.9 - 0.7 * f * f + 0.15 * static_cast<double>(noise(z, y, x, 40));
  });

  Histogram histogram(const Box& box, const Field<float>& f, const Field<float>& m,
                      int threads) const {
    Context ctx = context(threads);
    Histogram h;
    accumulate(ctx, params, domain, box, {f, m}, h);
    return h;
  }
  Field<float> gradient(float scale) const {
    Context ctx = context(2);
    const Table table = evaluate(params, histogram(domain, fixed, warped, 2));
    Field<float> grad(Backend::cpu, domain);
    backward(ctx, params, domain, domain, scale, table, {fixed, warped}, grad);
    return grad;
  }
};
constexpr Box box3{{0, 0, 0}, {9, 21, 23}}, box2{{0, -3, 2}, {1, 30, 90}};
INSTANTIATE_TEST_SUITE_P(Settings, Mi,
                         testing::Values(Setting{box3, Parzen::mattes, Measure::mutual_information},
                                         Setting{box2, Parzen::mattes, Measure::normalized},
                                         Setting{box3, Parzen::cubic, Measure::mutual_information},
                                         Setting{box3, Parzen::cubic, Measure::normalized},
                                         Setting{box3, Parzen::gaussian,
                                                 Measure::mutual_information}));

TEST_P(Mi, ValueMatchesReference) {
  const Histogram h = histogram(domain, fixed, warped, 2);
  const double want = reference::value(params, domain, fixed.view(), warped.view());
  EXPECT_LT(test::relative_error(evaluate(params, h).value, want), 2e-4);
  std::int64_t present = 0;
  for (float m : warped) present += !std::isnan(m);
  EXPECT_EQ(h.samples, present);
  EXPECT_LT(present, domain.volume());
}

/// Counts are rounded, not cut: those of a sample at the end of the range are 1 too many.
TEST_P(Mi, CountsOfASampleAddUpToOne) {
  if (params.parzen == Parzen::gaussian) return;  // its tails are cut
  const Histogram h = histogram(domain, fixed, warped, 2);
  std::int64_t sum = 0;
  for (const std::int64_t count : h.joint) sum += count;
  EXPECT_LT(std::abs(sum - h.samples * Histogram::one), h.samples);
}

TEST_P(Mi, GradientMatchesFiniteDifferencesOfReference) {
  const auto scale = static_cast<float>(domain.volume());
  const Field<float> grad = gradient(scale);
  std::vector<double> got, want;
  int below = 0, above = 0;
  for (const auto& [z, y, x] : test::sampled_voxels(domain, 60)) {
    const float m = warped.view()(z, y, x);
    below += m < params.moving_lo;
    above += m > params.moving_hi;
    // Beyond the range the gradient is 0; at its ends there is a kink.
    if (std::abs(m - params.moving_lo) < 2e-3F || std::abs(m - params.moving_hi) < 2e-3F) continue;
    got.push_back(static_cast<double>(grad.view()(z, y, x)));
    want.push_back(std::isnan(m)
                       ? 0.0
                       : static_cast<double>(scale) *
                             test::central_difference(warped.view()(z, y, x), 1e-3F, [&] {
                               return reference::value(params, domain, fixed.view(), warped.view());
                             }));
  }
  EXPECT_GT(got.size(), 50U);
  EXPECT_GT(std::min(below, above), 3);
  test::expect_gradient(got, want, 5e-3);
}

TEST_P(Mi, ShardedEqualsWholeBitForBit) {
  const Histogram whole = histogram(domain, fixed, warped, 1);
  const Field<float> want = gradient(3);
  const Table table = evaluate(params, whole);
  for (const auto& boxes : test::splits(domain)) {
    Context ctx = context(2);
    Histogram h;
    Field<float> grad(Backend::cpu, domain);
    for (const Box& box : boxes) {
      const auto shard = [&](const Field<float>& from) {
        return test::make_field(box, [&](int z, int y, int x) { return from.view()(z, y, x); });
      };
      const Field<float> f = shard(fixed), m = shard(warped);
      accumulate(ctx, params, domain, box, {f, m}, h);
      backward(ctx, params, domain, box, 3, table, {f, m}, grad);
    }
    EXPECT_EQ(h.joint, whole.joint);
    EXPECT_EQ(h.samples, whole.samples);
    EXPECT_EQ(test::values(grad.view(), domain), test::values(want.view(), domain));
  }
}

/// A histogram of twice the counts has the same value: the derivative has no part along the counts.
TEST_P(Mi, InvariantUnderScaleOfTheCounts) {
  const Histogram h = histogram(domain, fixed, warped, 2);
  const Table table = evaluate(params, h);
  double along = 0, size = 0;
  for (std::size_t i = 0; i < h.joint.size(); ++i) {
    const double product =
        static_cast<double>(h.joint[i]) * static_cast<double>(table.derivative[i]);
    along += product;
    size += std::abs(product);
  }
  EXPECT_LT(std::abs(along), 1e-6 * size);
}

TEST_P(Mi, ReadsOnlyItsHalo) {
  const Box compute = test::inner_part(domain);
  Field<float> poisoned = test::image(domain, 1);
  test::poison_outside(poisoned, compute);
  const Histogram got = histogram(compute, poisoned, warped, 1);
  EXPECT_EQ(got.joint, histogram(compute, fixed, warped, 1).joint);
}

TEST_P(Mi, InvariantUnderScaleAndShiftOfIntensities) {
  const double want = evaluate(params, histogram(domain, fixed, warped, 1)).value;
  const auto other = test::make_field(
      domain, [&](int z, int y, int x) { return 500 - 8 * warped.view()(z, y, x); });
  params.moving_lo = 500 - 8 * 0.8F;
  params.moving_hi = 500 - 8 * 0.5F;
  EXPECT_LT(test::relative_error(evaluate(params, histogram(domain, fixed, other, 1)).value, want),
            1e-3);
}

TEST_P(Mi, DropsWhenTheImagesAreShuffled) {
  const auto shuffled = test::make_field(
      domain, [](int z, int y, int x) { return 0.5F + 0.3F * noise(z, y, x, 77); });
  const auto information = [&](const Field<float>& m) {
    return evaluate(params, histogram(domain, fixed, m, 1)).value -
           (params.measure == Measure::normalized ? 1 : 0);
  };
  EXPECT_GT(information(warped), 1.5 * information(shuffled));
}

TEST(MiEvaluate, TwoEqualCellsInFirstAndLastBinsShareOneBit) {
  constexpr int bins = 12;
  for (const int last : {0, bins - 1}) {
    Histogram h{std::vector<std::int64_t>(bins * bins, 0), 2};
    h.joint[7 * bins + last] = h.joint[3 * bins + 5] = Histogram::one;
    EXPECT_LT(test::relative_error(evaluate({.bins = bins}, h).value, std::log(2.0)), 1e-12);
  }
}

TEST(MiRejects, BadBinsRangesAndEmptyHistograms) {
  const Box domain = box_of({4, 8, 8});
  const Field<float> image = test::image(domain, 1);
  const Field<float> small = test::image(box_of({4, 8, 7}), 1);
  const auto none = test::make_field(domain, [](int, int, int) { return test::nan; });
  Context ctx = context(1);
  Histogram h;
  EXPECT_THROW(accumulate(ctx, {.bins = 5}, domain, domain, {image, image}, h), InvalidArgument);
  EXPECT_THROW(accumulate(ctx, {.bins = 500}, domain, domain, {image, image}, h), InvalidArgument);
  EXPECT_THROW(accumulate(ctx, {.fixed_lo = 1, .fixed_hi = 1}, domain, domain, {image, image}, h),
               InvalidArgument);
  EXPECT_THROW(accumulate(ctx, {}, domain, domain, {image, small}, h), InvalidArgument);
  accumulate(ctx, {}, domain, domain, {image, none}, h);
  EXPECT_THROW(evaluate({}, h), InvalidArgument);
}

}  // namespace
}  // namespace ffdp::mi
