// SPDX-License-Identifier: Apache-2.0
// Restricted stages, and linear stages of several metrics.
#include <algorithm>
#include <cmath>

#include "tests/support/fields.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"
#include "ffdp/registration/linear/linear.hpp"
#include "ffdp/registration/register.hpp"
#include "ffdp/transforms/warp.hpp"

namespace ffdp::registration {
namespace {

/// Turned by 30 degrees about z, and not isotropic.
Grid oblique() {
  const double c = std::sqrt(0.75), s = 0.5;
  return {.size = {28, 32, 30},
          .spacing = {1, 1.2, 1.5},
          .origin = {-20, 5, 7},
          .direction = {{{c, -s, 0}, {s, c, 0}, {0, 0, 1}}}};
}

/// Smooth structure fixed in the world; what lies at p in it lies at p + shift in the image.
Image<float> structure(const Grid& grid, const Vec3& shift, std::uint32_t seed) {
  const Affine world = grid.to_world();
  return {grid, test::make_field(grid.domain(), [&](int z, int y, int x) {
            const Vec3 p = world({double(z), double(y), double(x)});
            return test::smooth_noise(p[2] - shift[2] + 90, p[1] - shift[1] + 90,
                                      p[0] - shift[0] + 90, 6, seed);
          })};
}

Inputs shifted(const Vec3& shift) {
  Inputs in;
  in.fixed.push_back(structure(oblique(), {}, 1));
  in.moving.push_back(structure(oblique(), shift, 1));
  in.fixed_names = {"fixed"};
  in.moving_names = {"moving"};
  in.start = Affine{};
  return in;
}

Result run(const Config& config, Inputs in) {
  Context ctx;
  ctx.threads = 2;
  dist::SoloComm solo;
  return register_images(ctx, solo, config, std::move(in), nullptr);
}

TEST(Restriction, AWarpStaysOnTheAxesOfTheWorldThatItMayUse) {
  Config config;
  config.deformable = {DeformableStage{.shrink = {2}, .iterations = {20}}};
  const auto largest = [&](const std::array<double, 3>& shares) {
    config.deformable[0].restriction = shares;
    Result result = run(config, shifted({1, 1, 1}));
    Context ctx;
    const auto warp = transforms::to_world(ctx, oblique(), std::move(result.displacement));
    std::array<double, 3> along{};
    for (int c = 0; c < 3; ++c)
      test::for_each_voxel(warp.grid.domain(), [&](int z, int y, int x) {
        along[c] = std::max(along[c], std::abs(double(warp.data.view()[c](z, y, x))));
      });
    return along;
  };
  const auto free = largest({1, 1, 1}), only_x = largest({1, 0, 0}), no_z = largest({1, 1, 0});
  for (int c = 0; c < 3; ++c) EXPECT_GT(free[c], 0.5) << c;
  EXPECT_GT(only_x[0], 0.5);
  EXPECT_LT(only_x[1], 1e-4);
  EXPECT_LT(only_x[2], 1e-4);
  EXPECT_GT(no_z[0], 0.5);
  EXPECT_GT(no_z[1], 0.5);
  EXPECT_LT(no_z[2], 1e-4);
}

TEST(Restriction, ARigidStageKeepsParametersAtZero) {
  Config config;
  LinearStage stage;
  stage.kind = LinearKind::rigid;
  stage.metric.kind = MetricKind::mse;
  stage.resolutions = {1};
  stage.iterations = {50};
  stage.restriction = {0, 0, 0, 1, 1, 0};
  config.linear = {stage};
  const Affine map = run(config, shifted({1.5, -1, 2})).affine;
  EXPECT_EQ(map.linear, Affine{}.linear);
  EXPECT_EQ(map.translation[2], 0);
  EXPECT_GT(map.translation[0], 0.5);
  EXPECT_LT(map.translation[1], -0.3);
  config.linear[0].restriction = {};
  const Affine all = run(config, shifted({1.5, -1, 2})).affine;
  EXPECT_NEAR(all.translation[2], 2, 0.3);
  config.linear[0].restriction = {2};
  EXPECT_THROW(run(config, shifted({})), InvalidArgument);
}

TEST(SeveralMetrics, AddUpWithTheirWeights) {
  Context ctx;
  dist::SoloComm solo;
  const Image<float> f1 = structure(oblique(), {}, 1), m1 = structure(oblique(), {1, 0, 0}, 1),
                     f2 = structure(oblique(), {}, 2), m2 = structure(oblique(), {0, 2, 0}, 2);
  const MetricConfig mse{.kind = MetricKind::mse, .weight = 0.7},
      mi{.kind = MetricKind::mi, .weight = 0.4};
  const Affine map{.translation = {0.3, 0.2, -0.1}};
  LinearProblem first(ctx, solo, {f1, m1}, mse, 1), second(ctx, solo, {f2, m2}, mi, 1);
  Affine g1, g2, both_gradient;
  const double c1 = first.cost(map, &g1), c2 = second.cost(map, &g2);
  first.add(std::move(second));
  EXPECT_NEAR(first.cost(map, &both_gradient), 0.7 * c1 + 0.4 * c2, 1e-12);
  EXPECT_NEAR(first.cost(map, nullptr), 0.7 * c1 + 0.4 * c2, 1e-12);
  for (int i = 0; i < 3; ++i) {
    EXPECT_NEAR(both_gradient.translation[i], 0.7 * g1.translation[i] + 0.4 * g2.translation[i],
                1e-12);
    for (int j = 0; j < 3; ++j)
      EXPECT_NEAR(both_gradient.linear[i][j], 0.7 * g1.linear[i][j] + 0.4 * g2.linear[i][j], 1e-10);
  }
  EXPECT_NE(g2.translation[1], 0);
}

TEST(SeveralMetrics, AStageFollowsAllOfThem) {
  // The first pair sees a shift along x alone, the second one along y alone.
  Inputs in = shifted({1, 0, 0});
  in.fixed.push_back(structure(oblique(), {}, 2));
  in.moving.push_back(structure(oblique(), {0, 1, 0}, 2));
  in.fixed_names.push_back("fixed 2");
  in.moving_names.push_back("moving 2");
  Config config;
  LinearStage stage;
  stage.kind = LinearKind::translation;
  stage.metric.kind = MetricKind::mse;
  stage.resolutions = {1};
  stage.iterations = {50};
  stage.further = {stage.metric};
  stage.further[0].image_pair = 1;
  config.linear = {stage};
  const Affine map = run(config, std::move(in)).affine;
  EXPECT_NEAR(map.translation[0], 0.5, 0.25);
  EXPECT_NEAR(map.translation[1], 0.5, 0.25);
  config.linear[0].further[0].image_pair = 5;
  EXPECT_THROW(run(config, shifted({})), InvalidArgument);
}

}  // namespace
}  // namespace ffdp::registration
