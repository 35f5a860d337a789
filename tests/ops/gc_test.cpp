// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/gc/gc.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "tests/support/compare.hpp"
#include "tests/support/fields.hpp"
#include "tests/support/gradient.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"
#include "ffdp/ops/gc/reference.hpp"

namespace ffdp::gc {
namespace {

class Gc : public testing::TestWithParam<Box> {
 protected:
  Box domain = GetParam();
  Params params{.fixed_centre = 0.5F, .moving_centre = 0.4F, .fixed_scale = 4, .moving_scale = 5};
  Field<float> fixed = test::image(domain, 1);
  Field<float> warped = test::make_field(domain, [this](int z, int y, int x) {
    if (noise(z, y, x, 4) < 0.1F) return test::nan;
    return 0.8F - 0.6F * fixed.view()(z, y, x) + 0.3F * noise(z, y, x, 5);
  });
  Sums sums(const Box& compute, const Field<float>& f, const Field<float>& m,
            int threads = 2) const {
    Context ctx;
    ctx.threads = threads;
    Sums s{};
    accumulate(ctx, params, domain, compute, {f, m}, s);
    return s;
  }
  Correlation evaluated(const Sums& s) const { return evaluate(params, s); }
  double value(const Field<float>& f, const Field<float>& m) const {
    return evaluated(sums(domain, f, m)).value.value;
  }
};
INSTANTIATE_TEST_SUITE_P(Sizes, Gc,
                         testing::Values(Box{{0, 0, 0}, {9, 11, 23}},
                                         Box{{0, -3, 2}, {1, 12, 40}}));

TEST_P(Gc, ValueMatchesReference) {
  const Correlation got = evaluated(sums(domain, fixed, warped));
  const double want = reference::value(domain, fixed.view(), warped.view());
  EXPECT_GT(want, 0.2);
  EXPECT_LT(want, 0.9);
  EXPECT_LT(test::relative_error(got.value.value, want), 1e-6);
  double present = 0;
  for (float m : warped) present += !std::isnan(m);
  EXPECT_EQ(got.value.weight, present);
}

TEST_P(Gc, GradientMatchesFiniteDifferencesOfReference) {
  const auto scale = static_cast<float>(domain.volume());
  const Slope slope = evaluated(sums(domain, fixed, warped)).slope;
  Field<float> grad(Backend::cpu, domain);
  Context ctx;
  ctx.threads = 2;
  backward(ctx, params, domain, domain, scale, slope, {fixed, warped}, grad);
  std::vector<double> got, want;
  for (const auto& [z, y, x] : test::sampled_voxels(domain, 60)) {
    got.push_back(static_cast<double>(grad.view()(z, y, x)));
    const bool missing = std::isnan(warped.view()(z, y, x));
    want.push_back(missing ? 0.0
                           : static_cast<double>(scale) *
                                 test::central_difference(warped.view()(z, y, x), 1e-2F, [&] {
                                   return reference::value(domain, fixed.view(), warped.view());
                                 }));
  }
  test::expect_gradient(got, want, 1e-4);
}

TEST_P(Gc, ShardedEqualsWholeBitForBit) {
  const Sums whole = sums(domain, fixed, warped, 1);
  const Slope slope = evaluated(whole).slope;
  Context ctx;
  Field<float> want(Backend::cpu, domain);
  backward(ctx, params, domain, domain, 3, slope, {fixed, warped}, want);
  for (const auto& boxes : test::splits(domain)) {
    Sums total{};
    Field<float> grad(Backend::cpu, domain);
    for (const Box& box : boxes) {
      const auto shard = [&](const Field<float>& from) {
        return test::make_field(box, [&](int z, int y, int x) { return from.view()(z, y, x); });
      };
      const Field<float> f = shard(fixed), m = shard(warped);
      accumulate(ctx, params, domain, box, {f, m}, total);
      backward(ctx, params, domain, box, 3, slope, {f, m}, grad);
    }
    EXPECT_EQ(total, whole);
    EXPECT_EQ(test::values(grad.view(), domain), test::values(want.view(), domain));
  }
}

TEST_P(Gc, ReadsOnlyItsHalo) {
  const Box compute = test::inner_part(domain);
  const Sums want = sums(compute, fixed, warped);
  test::poison_outside(fixed, compute);
  EXPECT_EQ(sums(compute, fixed, warped), want);
}

/// Scale, shift and inversion; far from zero the centre keeps the digits.
TEST_P(Gc, InvariantUnderScaleAndShiftOfIntensities) {
  const double want = value(fixed, warped);
  const auto other = test::make_field(
      domain, [&](int z, int y, int x) { return 3000 - 80 * warped.view()(z, y, x); });
  params.moving_centre = 3000 - 80 * 0.4F;
  params.moving_scale = 5.0F / 80;
  EXPECT_LT(test::relative_error(value(fixed, other), want), 1e-5);
  params.moving_centre += 20;
  EXPECT_LT(test::relative_error(value(fixed, other), want), 1e-5);
}

TEST_P(Gc, IsOneForALinearRelationAndLittleForShuffledImages) {
  const auto line = test::make_field(
      domain, [&](int z, int y, int x) { return 0.9F - 0.5F * fixed.view()(z, y, x); });
  EXPECT_LT(std::abs(value(fixed, line) - 1), 1e-5);
  const auto shuffled =
      test::make_field(domain, [](int z, int y, int x) { return noise(z, y, x, 77); });
  EXPECT_LT(value(fixed, shuffled), 0.05);
}

TEST_P(Gc, ConstantOrMissingImagesGiveNothing) {
  const auto constant = test::make_field(domain, [](int, int, int) { return 0.4F; });
  const auto none = test::make_field(domain, [](int, int, int) { return test::nan; });
  for (const auto* image : {&constant, &none}) {
    const Correlation got = evaluated(sums(domain, fixed, *image));
    EXPECT_EQ(got.value.value, 0);
    EXPECT_EQ(got.slope, Slope{});
  }
  EXPECT_EQ(evaluated(sums(domain, fixed, none)).value.weight, 0);
}

TEST_P(Gc, FarFromZeroTheCentreKeepsTheDigits) {
  const auto moved = [&](const Field<float>& image, float offset) {  // exact in float
    return test::make_field(domain, [&](int z, int y, int x) {
      return offset + std::round(256 * image.view()(z, y, x)) / 256;
    });
  };
  const double want = value(moved(fixed, 0), moved(warped, 0));
  constexpr float far = 30000;
  params.fixed_centre += far;
  params.moving_centre += far;
  EXPECT_LT(test::relative_error(value(moved(fixed, far), moved(warped, far)), want), 1e-3);
}

TEST(GcEvaluate, TakesPlainSumsAndWritesAllOfTheSlope) {
  // Means 0, variances 1, covariance 1/2.
  EXPECT_EQ(evaluate({}, Sums{2, 0, 0, 2 * one, 2 * one, one}).value.value, 0.25);
  Context ctx;
  Slope slope{7, 7, 7};
  MetricSum result;
  evaluate(ctx, {}, Sums{}.data(), slope.data(), &result);
  EXPECT_EQ(slope, Slope{});
}

TEST(GcRejects, ViewsThatAreTooSmallAndScalesThatAreNoScales) {
  const Box domain = box_of({4, 8, 8});
  const Field<float> image = test::image(domain, 1), small = test::image(box_of({4, 8, 7}), 1);
  Field<float> grad(Backend::cpu, box_of({3, 8, 8}));
  Context ctx;
  Sums sums{};
  std::int64_t* const null = nullptr;
  const Slope slope{};
  EXPECT_THROW(accumulate(ctx, {}, domain, domain, {small, image}, sums), InvalidArgument);
  EXPECT_THROW(accumulate(ctx, {}, domain, domain, {image, small}, sums), InvalidArgument);
  EXPECT_THROW(accumulate(ctx, {}, domain, domain, {image, image}, null), InvalidArgument);
  EXPECT_THROW(backward(ctx, {}, domain, domain, 1, slope, {image, image}, grad), InvalidArgument);
  for (const float scale : {0.0F, -1.0F, test::nan, std::numeric_limits<float>::infinity()})
    EXPECT_THROW(accumulate(ctx, {.moving_scale = scale}, domain, domain, {image, image}, sums),
                 InvalidArgument);
}

}  // namespace
}  // namespace ffdp::gc
