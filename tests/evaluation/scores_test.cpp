// SPDX-License-Identifier: Apache-2.0
#include "ffdp/evaluation/scores.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "tests/support/compare.hpp"
#include "tests/support/context.hpp"
#include "tests/support/fields.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"
#include "ffdp/evaluation/distance_transform.hpp"

namespace ffdp::evaluation {
namespace {

using test::relative_error;

Field<std::int32_t> boxes(const Box& domain, const std::vector<std::pair<int, Box>>& shapes) {
  return test::make_field<std::int32_t>(domain, [&](int z, int y, int x) {
    int label = 0;
    for (const auto& [number, box] : shapes)
      if (box.contains(z, y, x)) label = number;
    return label;
  });
}

TEST(DistanceTransform, MatchesBruteForceOnAnisotropicVoxels) {
  const Box domain{{2, 0, -3}, {11, 13, 14}};
  const Vec3 spacing{2.5, 0.7, 1.1};
  const auto set = test::make_field<std::uint8_t>(
      domain, [](int z, int y, int x) { return noise(z, y, x, 3) < 0.01F; });
  Context ctx = test::two_threads();
  const Field<float> got = squared_distance(ctx, set, spacing);
  std::vector<double> want;
  test::for_each_voxel(domain, [&](int z, int y, int x) {
    double best = HUGE_VAL;
    test::for_each_voxel(domain, [&](int k, int j, int i) {
      if (set.view()(k, j, i) == 0) return;
      const double a = spacing[0] * (z - k), b = spacing[1] * (y - j), c = spacing[2] * (x - i);
      best = std::min(best, a * a + b * b + c * c);
    });
    want.push_back(best);
  });
  const auto difference = test::compare(test::values(got.view(), domain), want);
  EXPECT_LT(difference.relative_max, 1e-6) << difference;
}

TEST(DistanceTransform, OfNothingIsInfinite) {
  const Box domain = box_of({3, 4, 5});
  const auto set = test::make_field<std::uint8_t>(domain, [](int, int, int) { return 0; });
  Context ctx = test::two_threads();
  for (float d : squared_distance(ctx, set, {1, 1, 1})) EXPECT_TRUE(std::isinf(d));
}

TEST(CompareLabels, ACubeShiftedByTwoVoxels) {
  const Box domain = box_of({20, 20, 30});
  const auto fixed = boxes(domain, {{7, {{5, 5, 5}, {15, 15, 15}}}});
  const auto warped = boxes(domain, {{7, {{5, 5, 7}, {15, 15, 17}}}});
  Context ctx = test::two_threads();
  const LabelScores s = compare_labels(ctx, {1, 1, 1.5}, fixed, warped);
  ASSERT_EQ(s.labels.size(), 1U);
  EXPECT_EQ(s.common, 1);
  EXPECT_LT(relative_error(s.labels[0].dice, 0.8), 1e-12);
  EXPECT_LT(relative_error(s.mean_dice, 0.8), 1e-12);
  EXPECT_LT(relative_error(s.pooled_dice, 0.8), 1e-12);
  // Of the 488 surface voxels of each, 100 on the far face are 2 voxels = 3 mm from the other.
  EXPECT_LT(relative_error(s.mean_hd95, 3.0), 1e-6);
  EXPECT_LT(relative_error(s.mean_hd90, 3.0), 1e-6);
}

TEST(CompareLabels, AreSymmetricInDistancesAndOneForEqualMaps) {
  const Box domain = box_of({16, 16, 16});
  const auto a = boxes(domain, {{1, {{2, 2, 2}, {14, 14, 14}}}, {2, {{4, 4, 4}, {7, 8, 9}}}});
  const auto b = boxes(domain, {{1, {{2, 3, 2}, {14, 14, 13}}}, {2, {{4, 4, 5}, {7, 8, 12}}}});
  Context ctx = test::two_threads();
  const LabelScores ab = compare_labels(ctx, {1, 2, 3}, a, b),
                    ba = compare_labels(ctx, {1, 2, 3}, b, a);
  EXPECT_EQ(ab.mean_hd95, ba.mean_hd95);
  EXPECT_EQ(ab.mean_dice, ba.mean_dice);
  EXPECT_GT(ab.mean_hd95, 0);
  const LabelScores aa = compare_labels(ctx, {1, 2, 3}, a, a);
  EXPECT_EQ(aa.mean_dice, 1);
  EXPECT_EQ(aa.inverse_dice, 1);
  EXPECT_EQ(aa.mean_hd95, 0);
}

TEST(CompareLabels, InverseDiceFavoursSmallRegionsAndAbsentLabelsAreListedOnly) {
  const Box domain = box_of({1, 20, 20});
  const auto fixed = boxes(domain, {{1, {{0, 0, 0}, {1, 10, 10}}},
                                    {2, {{0, 12, 12}, {1, 13, 13}}},
                                    {9, {{0, 19, 19}, {1, 20, 20}}}});
  const auto warped =
      boxes(domain, {{1, {{0, 0, 0}, {1, 10, 10}}}, {2, {{0, 12, 12}, {1, 13, 15}}}});
  Context ctx = test::two_threads();
  const LabelScores s = compare_labels(ctx, {5, 1, 1}, fixed, warped);
  EXPECT_EQ(s.common, 2);
  EXPECT_EQ(s.labels.size(), 3U);
  EXPECT_LT(relative_error(s.mean_dice, 0.75), 1e-12);  // 1 and 1/2
  EXPECT_LT(relative_error(s.inverse_dice, (0.01 * 1 + 1 * 0.5) / 1.01), 1e-12);
  EXPECT_EQ(s.labels[2].dice, 0);
  EXPECT_TRUE(std::isnan(s.labels[2].hd95));
}

TEST(CompareImages, CorrelationIsInvariantUnderShiftScaleAndHugeOffsets) {
  const Box domain = box_of({6, 20, 20});
  const Field<float> fixed = test::image(domain, 1);
  const auto scaled = test::make_field(
      domain, [&](int z, int y, int x) { return 1000.0F + 4 * fixed.view()(z, y, x); });
  Context ctx = test::two_threads();
  const Similarity same = compare_images(ctx, fixed, scaled, {});
  EXPECT_LT(std::abs(same.ncc - 1), 1e-6);
  EXPECT_EQ(same.voxels, domain.volume());
  const Similarity other = compare_images(ctx, fixed, test::image(domain, 77), {});
  EXPECT_LT(std::abs(other.ncc), 0.3);
  EXPECT_GT(same.mi, 3 * other.mi);
}

TEST(CompareImages, MaskedAndMissingVoxelsDoNotCount) {
  const Box domain = box_of({4, 10, 10});
  const Field<float> fixed = test::image(domain, 1);
  Field<float> warped = test::image(domain, 1);
  test::poison_outside(warped, {{0, 0, 0}, {4, 10, 8}});
  auto mask = test::make_field<std::uint8_t>(domain, [](int, int y, int) { return y > 0; });
  Context ctx = test::two_threads();
  for (int z = 0; z < 4; ++z) warped.view()(z, 0, 3) = 1e6F;
  const Similarity s = compare_images(ctx, fixed, warped, mask);
  EXPECT_EQ(s.voxels, 4 * 9 * 8);
  EXPECT_LT(std::abs(s.ncc - 1), 1e-9);
}

TEST(CompareImages, AConstantImageHasNoCorrelation) {
  const Box domain = box_of({3, 5, 5});
  const auto flat = test::make_field(domain, [](int, int, int) { return 5; });
  Context ctx = test::two_threads();
  EXPECT_EQ(compare_images(ctx, test::image(domain, 1), flat, {}).ncc, 0);
}

TEST(ComparePoints, DistancesInMillimetres) {
  const std::vector<Vec3> mapped{{0, 0, 0}, {1, 2, 2}, {3, 4, 0}},
      wanted{{0, 0, 0}, {0, 0, 0}, {0, 0, 0}};
  const PointScores s = compare_points(mapped, wanted);
  EXPECT_EQ(s.count, 3);
  EXPECT_EQ(s.max, 5);
  EXPECT_EQ(s.median, 3);
  EXPECT_LT(relative_error(s.mean, 8.0 / 3), 1e-12);
  EXPECT_THROW(compare_points(mapped, {}), InvalidArgument);
}

}  // namespace
}  // namespace ffdp::evaluation
