// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/register.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include "tests/support/compare.hpp"
#include "tests/support/fields.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"
#include "ffdp/evaluation/scores.hpp"
#include "ffdp/phantom/phantom.hpp"
#include "ffdp/registration/linear/linear.hpp"

namespace ffdp::registration {
namespace {

using evaluation::PointScores;
using phantom::Contrast;
using phantom::Phantom;

/// A pair of phantoms and the truth between them.
struct Truth {
  Grid grid;
  Phantom fixed, moving;

  explicit Truth(Int3 size) {
    grid.size = size;
    grid.spacing = {2.5, 2.5, 2.5};
    const Vec3 centre = grid.centre();
    grid.origin = {-centre[0], -centre[1], -centre[2]};
    fixed = moving = phantom::fitted_to(grid, {});
    moving.scan = 2;
  }
  Inputs inputs() const {
    Inputs in;
    for (const Phantom* phantom : {&fixed, &moving}) {
      Context ctx;
      Image<float> image{grid, Field<float>(Backend::cpu, grid.domain())};
      phantom::make_phantom(ctx, *phantom, grid, grid.domain(), image.data, {});
      (phantom == &fixed ? in.fixed : in.moving).push_back(std::move(image));
    }
    in.fixed_names = {"fixed"};
    in.moving_names = {"moving"};
    return in;
  }
  Field<std::uint8_t> head() const {
    Context ctx;
    Field<std::uint8_t> labels(Backend::cpu, grid.domain());
    phantom::make_phantom(ctx, fixed, grid, grid.domain(), {}, labels);
    return labels;
  }
  /// Displacement [mm] of the whole map of `result`.
  VectorField<float> map_of(const Result& result) const {
    return test::make_vector_field(grid.domain(), [&](int c, int z, int y, int x) {
      Vec3 index{double(z), double(y), double(x)};
      const Vec3 p = grid.to_world()(index);
      if (!result.displacement.empty())
        for (int a = 0; a < 3; ++a)
          index[a] += static_cast<double>(result.displacement.view()[a](z, y, x));
      return result.affine(grid.to_world()(index))[c] - p[c];
    });
  }
  /// Distance from the true map to that of `result`, inside the head [mm].
  PointScores error(const Result& result) const {
    Context ctx;
    VectorField<float> truth(Backend::cpu, grid.domain());
    phantom::make_true_warp(ctx, fixed, moving, grid, grid.domain(), truth);
    return evaluation::compare_warps(map_of(result), truth, head());
  }
};

Result run(const Config& config, Inputs inputs, int threads) {
  Context ctx;
  ctx.threads = threads;
  dist::SoloComm comm;
  return register_images(ctx, comm, config, std::move(inputs), {});
}

Affine small_pose() {
  const double a = 0.1;
  return {{{{std::cos(a), -std::sin(a), 0}, {std::sin(a), std::cos(a), 0}, {0, 0, 1.03}}},
          {5, -4, 3}};
}

TEST(Register, RecoversAKnownWarpWithoutFolds) {
  Truth truth({60, 76, 60});
  truth.fixed.warp_mm = 6;
  truth.moving.pose = small_pose();
  const Result result = run(preset("default"), truth.inputs(), 2);
  const PointScores error = truth.error(result);
  EXPECT_LT(error.mean, 0.4 * 2.5) << "of " << error.count << " voxels";
  EXPECT_LT(error.p95, 2.5);
  EXPECT_EQ(result.jacobian.folded, 0);
  EXPECT_GT(result.jacobian.min, 0);
  EXPECT_LE(result.inverse_residual.max, 0.1);
}

TEST(Register, RecoversAKnownWarpBetweenContrasts) {
  Truth truth({60, 76, 60});
  truth.fixed.warp_mm = 5;
  truth.moving.contrast = Contrast::t2;
  Config config = preset("default");
  for (DeformableStage& stage : config.deformable)
    stage.metrics = {MetricConfig{.kind = MetricKind::mi}};
  const double before = truth.error(Result{}).mean;
  const PointScores after = truth.error(run(config, truth.inputs(), 2));
  EXPECT_GT(before, 1.5);
  EXPECT_LT(after.mean, 0.6 * before);
}

/// Global correlation in every stage, and for a moving image that is inverted and scaled.
TEST(Register, RecoversAKnownWarpByGlobalCorrelation) {
  Truth truth({60, 76, 60});
  truth.fixed.warp_mm = 5;
  truth.moving.pose = small_pose();
  Config config = preset("default");
  for (LinearStage& stage : config.linear) stage.metric = {.kind = MetricKind::gc};
  config.deformable[0].metrics = {{.kind = MetricKind::gc}};
  config.deformable[0].sigma_update = 2;
  config.deformable[0].sigma_warp = 1;
  const double before = truth.error(Result{}).mean;
  const PointScores after = truth.error(run(config, truth.inputs(), 2));
  EXPECT_GT(before, 5);
  EXPECT_LT(after.mean, 0.5 * 2.5) << "before: " << before;
  Inputs inverted = truth.inputs();
  for (float& v : inverted.moving[0].data) v = 900 - 3 * v;
  EXPECT_LT(truth.error(run(config, std::move(inverted), 2)).mean, 1.2 * after.mean);
}

/// Gradient and warp smoothed by splines: as near as with Gaussians, without folds; both directions
/// and the refinement take the knots of their levels.
TEST(Register, RecoversAKnownWarpBySplines) {
  Truth truth({60, 76, 60});
  truth.fixed.warp_mm = 5;
  truth.moving.pose = small_pose();
  Config config = preset("accurate");
  config.deformable[0].iterations = {50, 30};
  config.deformable[0].shrink = {2, 1};
  config.deformable[0].knots_update = {{3.25, 3.25, 3.25}, {2.5, 2.5, 2.5}};
  config.deformable[0].knots_warp = {{1, 1, 1}, {1.25, 1, 1}};
  const Result result = run(config, truth.inputs(), 2);
  EXPECT_LT(truth.error(result).mean, 0.4 * 2.5);
  EXPECT_EQ(result.jacobian.folded, 0);
  // The knots of two levels are none of three, and no knots lie closer than voxels.
  config.deformable[0].iterations = {5, 5, 5};
  EXPECT_THROW(run(config, truth.inputs(), 1), InvalidArgument);
  config.deformable[0].knots_update = {{0.5, 1, 1}};
  EXPECT_THROW(run(config, truth.inputs(), 1), InvalidArgument);
}

TEST(Register, RecoversALargeAffine) {
  Truth truth({60, 76, 60});
  const double a = 0.35;  // 20 degrees
  truth.moving.pose.linear = {{{std::cos(a), -std::sin(a), 0},
                               {0.97 * std::sin(a), 0.97 * std::cos(a), 0.05},
                               {0, 0, 0.92}}};
  truth.moving.pose.translation = {20, -15, 12};
  const Result result = run(preset("affine"), truth.inputs(), 2);
  EXPECT_LT(truth.error(result).max, 1.5);
  EXPECT_TRUE(result.displacement.empty());
}

TEST(Register, RecoversAWarpOfASlice) {
  Truth truth({1, 76, 60});
  truth.fixed = truth.moving = phantom::fitted_to(truth.grid, {});
  truth.fixed.scan = 5;
  const double a = 0.15;
  truth.moving.pose.linear = {
      {{std::cos(a), -std::sin(a), 0}, {std::sin(a), std::cos(a), 0}, {0, 0, 1}}};
  truth.moving.pose.translation = {4, -6, 0};
  const Result result = run(preset("default"), truth.inputs(), 2);
  EXPECT_LT(truth.error(result).mean, 0.4 * 2.5);
  EXPECT_EQ(result.jacobian.folded, 0);
  for (double u : test::values(result.displacement.view()[0], truth.grid.domain())) EXPECT_EQ(u, 0);
}

TEST(Register, HasTheSameBitsAtAnyThreadCountAndEveryTime) {
  Truth truth({40, 50, 44});
  truth.fixed.warp_mm = 4;
  truth.moving.pose = small_pose();
  const Result want = run(preset("fast"), truth.inputs(), 1);
  for (int threads : {1, 2, 4}) {
    const Result got = run(preset("fast"), truth.inputs(), threads);
    EXPECT_EQ(got.affine, want.affine);
    EXPECT_TRUE(test::values(got.displacement.view(), truth.grid.domain()) ==
                test::values(want.displacement.view(), truth.grid.domain()))
        << threads << " threads";
  }
}

TEST(Register, HasTheSameBitsWhenIntensitiesAreScaledByAPowerOfTwo) {
  Truth truth({40, 50, 44});
  truth.fixed.warp_mm = 4;
  const Result want = run(preset("fast"), truth.inputs(), 2);
  Inputs other = truth.inputs();
  for (float& value : other.moving[0].data) value *= 0.25F;
  const Result got = run(preset("fast"), std::move(other), 2);
  EXPECT_EQ(got.affine, want.affine);
  EXPECT_TRUE(test::values(got.displacement.view(), truth.grid.domain()) ==
              test::values(want.displacement.view(), truth.grid.domain()));
}

TEST(Register, IsInvariantUnderScaleAndShiftOfIntensities) {
  Truth truth({40, 50, 44});
  truth.fixed.warp_mm = 4;
  const Result want = run(preset("fast"), truth.inputs(), 2);
  Inputs other = truth.inputs();
  for (float& value : other.moving[0].data) value = 0.01F * value - 3;
  const Result got = run(preset("fast"), std::move(other), 2);
  const PointScores apart =
      evaluation::compare_warps(truth.map_of(got), truth.map_of(want), truth.head());
  // Rounding moves the intensities in their last bits; a hundred iterations carry that into the
  // few voxels that hardly have a gradient.
  EXPECT_LT(apart.mean, 0.06 * 2.5);
  EXPECT_LT(apart.p95, 0.2 * 2.5);
}

TEST(Register, LinearStagesEndAtTheSameMapWhateverTheLastBits) {
  Truth truth({40, 50, 44});
  truth.moving.pose = small_pose();
  const Result want = run(preset("affine"), truth.inputs(), 2);
  for (const std::uint64_t seed : {1, 2, 3}) {
    Inputs other = truth.inputs();
    const View<float> moving = other.moving[0].data;
    test::for_each_voxel(truth.grid.domain(), [&](int z, int y, int x) {
      float& value = moving(z, y, x);
      const auto last_bit = static_cast<std::uint32_t>(noise(z, y, x, seed) < 0.5F);
      value = std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) ^ last_bit);
    });
    const Result got = run(preset("affine"), std::move(other), 2);
    const PointScores apart =
        evaluation::compare_warps(truth.map_of(got), truth.map_of(want), truth.head());
    EXPECT_LT(apart.mean, 0.01 * 2.5);
  }
}

/// Two images that have nothing in common: mutual information has many minima.
Inputs unrelated() {
  Inputs in;
  Grid grid;
  grid.size = {28, 36, 32};
  for (const std::uint64_t seed : {11, 12})
    (seed == 11 ? in.fixed : in.moving)
        .push_back({grid, test::make_field<float>(grid.domain(), [&](int z, int y, int x) {
                      return 1 + 0.2F * noise(z, y, x, seed) + noise(z / 4, y / 4, x / 4, seed);
                    })});
  in.fixed_names = {"fixed"};
  in.moving_names = {"moving"};
  return in;
}

TEST(Register, AmongManyMinimaLastBitsHardlyEverChoose) {
  Config config = preset("affine");
  use_global_metrics(config);
  const Affine want = run(config, unrelated(), 2).affine;
  int same = 0;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    Inputs other = unrelated();
    for (auto* images : {&other.fixed, &other.moving}) {
      const View<float> image = images->front().data;
      test::for_each_voxel(images->front().grid.domain(), [&](int z, int y, int x) {
        image(z, y, x) *= 1 + 2.4e-7F * (noise(z, y, x, seed) - 0.5F);
      });
    }
    const Grid grid = other.fixed[0].grid;
    const Affine got = run(config, std::move(other), 2).affine;
    double apart = 0;
    for (const double z : {-0.5, grid.size[0] - 0.5})
      for (const double y : {-0.5, grid.size[1] - 0.5})
        for (const double x : {-0.5, grid.size[2] - 0.5}) {
          const Vec3 p = grid.to_world()({z, y, x}), a = got(p), b = want(p);
          apart = std::max(apart, std::hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]));
        }
    same += apart < 0.01;
  }
  // A component of a step that lies half-way between two units still goes either way: one or two of
  // the eight. Without rounded steps all eight end elsewhere, up to 100 voxels away.
  EXPECT_GE(same, 4);
}

TEST(LinearProblem, IsNotSolvedByFlatteningTheImage) {
  Grid grid;
  grid.size = {20, 24, 22};
  // One plane of the ramp has the intensity of the whole fixed image.
  const Image<float> fixed{grid, test::make_field<float>(grid.domain(), [](int z, int y, int x) {
                             return 0.5F + 0.01F * noise(z, y, x, 1);
                           })};
  const Image<float> moving{grid, test::make_field<float>(grid.domain(), [](int, int, int x) {
                              return static_cast<float>(x) / 21;
                            })};
  Context ctx;
  dist::SoloComm comm;
  LinearProblem problem(ctx, comm, {.fixed = fixed, .moving = moving}, {.kind = MetricKind::mse},
                        1);
  const Affine map = minimize(problem, LinearKind::affine, Affine{}, 60, 0.002, nullptr, nullptr);
  EXPECT_GT(map.linear[0][0], 0.5);
}

TEST(Register, RunsEveryIterationOfEveryLevel) {
  Truth truth({40, 50, 44});
  Config config = preset("default");
  config.linear.clear();
  config.initialization = Initialization::identity;
  config.deformable[0].iterations = {60};
  config.deformable[0].shrink = {2};
  // Scans of one phantom: there is nothing to gain, and the cost jitters.
  const Result result = run(config, truth.inputs(), 2);
  EXPECT_EQ(result.levels[0].costs.size(), 60U);
}

TEST(Register, KeepsTheCostsThatItReports) {
  Truth truth({40, 50, 44});
  truth.moving.pose = small_pose();
  Context ctx;
  dist::SoloComm comm;
  std::vector<double> linear, deformable;
  const Result result =
      register_images(ctx, comm, preset("fast"), truth.inputs(), [&](const Progress& p) {
        const std::string stage = p.stage;
        if (stage == "initialization") return;
        (stage == "deformable" ? deformable : linear).push_back(p.cost);
      });
  const auto kept = [](const auto& traces) {
    std::vector<double> costs;
    for (const auto& trace : traces)
      costs.insert(costs.end(), trace.costs.begin(), trace.costs.end());
    return costs;
  };
  EXPECT_FALSE(linear.empty());
  EXPECT_EQ(kept(result.linear), linear);
  EXPECT_EQ(kept(result.levels), deformable);
  EXPECT_EQ(result.linear.front().stage, "affine");
  EXPECT_LT(result.linear.front().costs.back(), result.linear.front().costs.front());
  // Nobody has to listen.
  EXPECT_EQ(kept(run(preset("fast"), truth.inputs(), 1).linear), linear);
}

TEST(LinearProblem, GradientMatchesFiniteDifferences) {
  Truth truth({40, 50, 44});
  truth.moving.pose = small_pose();
  const Inputs inputs = truth.inputs();
  // Samples that enter or leave the moving image would make the cost jump.
  const Image<std::uint8_t> inner{
      truth.grid, test::make_field<std::uint8_t>(truth.grid.domain(), [&](int z, int y, int x) {
        return grow(truth.grid.domain(), -8).contains(z, y, x);
      })};
  Context ctx;
  ctx.threads = 2;
  dist::SoloComm comm;
  for (const MetricKind kind :
       {MetricKind::lncc, MetricKind::mi, MetricKind::mse, MetricKind::gc}) {
    LinearProblem problem(
        ctx, comm, {.fixed = inputs.fixed[0], .moving = inputs.moving[0], .fixed_mask = &inner},
        {.kind = kind}, 5);
    Affine map{{{{1.02, 0.03, 0}, {-0.04, 0.99, 0.01}, {0, 0.02, 1}}}, {1.3, -2.1, 0.7}};
    Affine gradient;
    problem.cost(map, &gradient);
    std::vector<double> got, want;
    const auto slope = [&](double& parameter, double h) {
      const double kept = parameter;
      parameter = kept + h;
      const double above = problem.cost(map, nullptr);
      parameter = kept - h;
      const double below = problem.cost(map, nullptr);
      parameter = kept;
      return (above - below) / (2 * h);
    };
    for (int row = 0; row < 3; ++row) {
      got.push_back(50 * gradient.translation[row]);
      want.push_back(50 * slope(map.translation[row], 0.05));
      for (int k = 0; k < 3; ++k) {
        got.push_back(gradient.linear[row][k]);
        want.push_back(slope(map.linear[row][k], 0.001));
      }
    }
    const auto difference = test::compare(got, want);
    // The cost has kinks where samples cross voxels and the edge of the image.
    EXPECT_LT(difference.relative_l2, 0.05) << static_cast<int>(kind) << ": " << difference;
    EXPECT_GT(difference.cosine, 0.99);
  }
}

TEST(RegisterRejects, WhatCannotBeRegistered) {
  const Truth truth({20, 24, 20});
  const auto changed = [&](float value) {
    Inputs in = truth.inputs();
    for (float& v : in.moving[0].data) v = value;
    return in;
  };
  EXPECT_THROW(run(preset("fast"), changed(0), 1), InvalidArgument) << "all zero";
  EXPECT_THROW(run(preset("fast"), changed(7), 1), InvalidArgument) << "constant";
  Inputs masked = truth.inputs();
  masked.fixed_mask = Image<std::uint8_t>{
      truth.grid,
      test::make_field<std::uint8_t>(truth.grid.domain(), [](int, int, int) { return 0; })};
  EXPECT_THROW(run(preset("fast"), std::move(masked), 1), InvalidArgument) << "empty mask";
  EXPECT_THROW(run(preset("fast"), Inputs{}, 1), InvalidArgument) << "no image";
  EXPECT_THROW(preset("fastest"), InvalidArgument);
}

}  // namespace
}  // namespace ffdp::registration
