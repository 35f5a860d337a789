// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/deformable/smoothing.hpp"

#include <cmath>
#include <optional>

#include <gtest/gtest.h>

namespace ffdp::registration {
namespace {

DeformableStage stage_of(int levels) {
  DeformableStage stage;
  stage.iterations = std::vector<int>(static_cast<std::size_t>(levels), 10);
  return stage;
}

TEST(AtLevel, RadiiAreCountedFromTheFinestLevel) {
  DeformableStage stage = stage_of(4);
  stage.metrics[0].radius = 5;
  stage.metrics[0].coarse_radii = {2, 3};
  const int wanted[] = {2, 2, 3, 5};
  for (int level = 0; level < 4; ++level)
    EXPECT_EQ(at_level(stage, level, {9, 9, 9}).metrics[0].radius, wanted[level]) << level;
  EXPECT_EQ(at_level(stage_of(1), 0, {9, 9, 9}).metrics[0].radius, 2);
}

TEST(AtLevel, RadiusZeroFollowsTheSize) {
  DeformableStage stage = stage_of(3);
  stage.metrics[0].radius = 0;
  const auto radius = [&](int level, const Int3& size) {
    return at_level(stage, level, size).metrics[0].radius;
  };
  EXPECT_EQ(radius(2, {160, 192, 224}), 6);  // 190 across
  EXPECT_EQ(radius(1, {80, 96, 112}), 3);
  EXPECT_EQ(radius(0, {40, 48, 56}), 2);
  EXPECT_EQ(radius(2, {64, 64, 512}), 4);
  EXPECT_EQ(radius(2, {2000, 2000, 2000}), 6);
  EXPECT_EQ(radius(2, {1, 96, 192}), 4);  // 136 across: a plane's size is that of two axes
  EXPECT_EQ(radius(2, {1, 1, 1}), 2);
  stage.metrics[0].coarse_radii = {4};
  EXPECT_EQ(radius(1, {80, 96, 112}), 4);
  EXPECT_EQ(radius(2, {160, 192, 224}), 6);
}

TEST(AtLevel, GaussiansWidenBeyond256VoxelsAcross) {
  DeformableStage stage = stage_of(1);
  stage.sigma_update = 0.8;
  stage.sigma_warp = 0.5;
  stage.widening = 0.7;
  EXPECT_EQ(at_level(stage, 0, {256, 256, 256}).sigma_update, 0.8);
  EXPECT_EQ(at_level(stage, 0, {1, 2048, 2048}).sigma_update, 0.8);  // 161 across
  const DeformableStage twice = at_level(stage, 0, {256, 1024, 512});
  EXPECT_NEAR(twice.sigma_update, 0.8 * std::pow(2, 0.7), 1e-9);
  EXPECT_NEAR(twice.sigma_warp, 0.5 * std::pow(2, 0.7), 1e-9);
  EXPECT_EQ(at_level(twice, 0, {256, 1024, 512}), twice);  // no second time
  EXPECT_NEAR(at_level(stage, 0, {2000, 2000, 2000}).sigma_update, 8.0 / 3, 1e-9);
  stage.sigma_update = 5;  // wider than any widening
  EXPECT_EQ(at_level(stage, 0, {2000, 2000, 2000}).sigma_update, 5);
  stage.widening = 0;
  EXPECT_EQ(at_level(stage, 0, {2000, 2000, 2000}).sigma_warp, 0.5);
}

TEST(AtLevel, DampingReachesOneVoxelFartherThanTheGaussian) {
  DeformableStage stage = stage_of(1);
  const int plain = warp_reach(stage);
  stage.damping = 0.1;
  EXPECT_EQ(warp_reach(stage), plain + 1);
  EXPECT_EQ(warp_smoothing(stage, 0, box_of({9, 9, 9})).lead(), plain + 1);
  stage.knots_warp = {{2, 2, 2}};
  EXPECT_EQ(warp_reach(stage), warp_smoothing(stage, 0, box_of({9, 9, 9})).lead());
}

TEST(AtLevel, OnlyTheFinestMayBeGentle) {
  DeformableStage stage = stage_of(3);
  stage.gentle.sigma_update = 2.6;
  EXPECT_EQ(at_level(stage, 0, {9, 9, 9}).gentle, Gentle{});
  EXPECT_EQ(at_level(stage, 1, {9, 9, 9}).gentle, Gentle{});
  EXPECT_EQ(at_level(stage, 2, {9, 9, 9}).gentle, stage.gentle);
  stage.iterations = {10};  // starts without a warp
  EXPECT_EQ(at_level(stage, 0, {9, 9, 9}).gentle, Gentle{});
}

TEST(ChangeOf, CountsMoreWithinFewVoxels) {
  jacobian::Statistics warp;
  warp.sum_log_size = 2000;    // of 20 x 20 x 20 voxels that change by 0.25, and others that do
  warp.sum_log_squared = 500;  // not change
  EXPECT_NEAR(warp.extent(), 20, 1e-12);
  EXPECT_NEAR(change_of(warp, 1, {.across = 20}), 0.25, 1e-12);
  EXPECT_NEAR(change_of(warp, 2, {.across = 80}), 0.5, 1e-12);  // the level has 40 of the 80
  EXPECT_NEAR(change_of(warp, 2, {.across = 30}), 0.25, 1e-12);
  EXPECT_EQ(change_of({}, 2, {.across = 80}), 0);
}

TEST(AfterStart, GaussiansAreAsWideAsTheWarpIsGentle) {
  DeformableStage stage;
  stage.sigma_update = 0.8;
  stage.sigma_warp = 0.6;
  stage.gentle = {.full = 0.1, .none = 0.3, .sigma_update = 2.8, .sigma_warp = 1};
  const auto expect = [&](std::optional<double> change, double update, double warp) {
    const DeformableStage here = after_start(stage, change);
    EXPECT_NEAR(here.sigma_update, update, 1e-12) << change.value_or(-1);
    EXPECT_NEAR(here.sigma_warp, warp, 1e-12) << change.value_or(-1);
    EXPECT_EQ(here.gentle, Gentle{});  // decided
  };
  expect({}, 0.8, 0.6);
  expect(0, 2.8, 1);
  expect(0.1, 2.8, 1);
  expect(0.2, 1.8, 0.8);
  expect(0.3, 0.8, 0.6);
  expect(7, 0.8, 0.6);
  stage.sigma_warp = 1.5;  // is wider already
  expect(0, 2.8, 1.5);
  stage.update_fall = 0.9;
  stage.damping = 0.05;
  stage.gentle.update_fall = 0.5;
  stage.gentle.damping = 0.1;  // is damped less already
  EXPECT_NEAR(after_start(stage, 0.2).update_fall, 0.7, 1e-12);
  EXPECT_EQ(after_start(stage, 0.2).damping, 0.05);
  stage.gentle.damping = 0.01;
  EXPECT_NEAR(after_start(stage, 0.2).damping, 0.03, 1e-12);
  EXPECT_EQ(after_start(stage, 0.3).damping, 0.05);
  stage.gentle.none = stage.gentle.full;  // a step
  expect(0.0999, 2.8, 1.5);
  expect(0.1001, 0.8, 1.5);
}

TEST(AfterStart, ReachIsThatOfTheWidestUntilItIsKnown) {
  DeformableStage stage;
  const int update = update_reach(stage), warp = warp_reach(stage);
  stage.gentle = {.sigma_update = 2.6, .sigma_warp = 1.3};
  EXPECT_EQ(update_reach(stage), gaussian_radius(2.6));
  EXPECT_EQ(warp_reach(stage), gaussian_radius(1.3));
  EXPECT_EQ(update_reach(after_start(stage, 0)), gaussian_radius(2.6));
  EXPECT_EQ(update_reach(after_start(stage, 9)), update);
  EXPECT_EQ(warp_reach(after_start(stage, {})), warp);
}

}  // namespace
}  // namespace ffdp::registration
