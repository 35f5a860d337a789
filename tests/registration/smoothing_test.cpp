// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/deformable/smoothing.hpp"

#include <cmath>

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

}  // namespace
}  // namespace ffdp::registration
