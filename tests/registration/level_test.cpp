// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/deformable/level.hpp"

#include <algorithm>

#include "tests/support/fields.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"
#include "ffdp/dist/threads.hpp"
#include "ffdp/registration/deformable/slab_planes.hpp"
#include "ffdp/registration/plan.hpp"

namespace ffdp::registration {
namespace {

struct Outcome {
  VectorField<float> u;
  std::vector<double> costs;
};

/// Four iterations with slabs of `planes` planes, as one of the ranks of `comm`; u is gathered.
Outcome iterate(dist::Comm& comm, const DeformableStage& stage, const Grid& grid, int planes) {
  Context ctx;
  ctx.threads = 2;
  const Box domain = grid.domain();
  const dist::Cut cut(comm, domain);
  const Box own = cut.own(comm);
  const Image<float> fixed{grid, test::image(own, 1)};
  const Image<float> moving{grid, test::image(own, 2)};
  Affine affine;
  affine.translation = {0.7, -0.4, 1.1};
  const Pair pair{fixed, moving, nullptr, nullptr};
  std::vector<LevelPair> pairs;
  pairs.emplace_back(ctx, comm, pair, grid, 1, affine,
                     intersect(grow(own, Halo(stage).warped), domain));
  auto u = test::displacement(domain, own, 0.8, 5);
  GreedyLevel<float> level(ctx, comm, stage, cut, pairs, std::move(u), planes, 4);
  for (int k = 0; k < 4; ++k) level.iterate();
  return {dist::fetched(ctx, comm, cut, level.take(), domain), level.costs()};
}

Outcome iterate(const DeformableStage& stage, const Grid& grid, int planes) {
  dist::SoloComm solo;
  return iterate(solo, stage, grid, planes);
}

Grid block(Int3 size) {
  Grid grid;
  grid.size = size;
  grid.spacing = {1, 1, 1};
  return grid;
}

/// A stage of two metrics; the widest Gaussians narrow, and damp the divergence.
DeformableStage two_metrics(MetricKind kind, double sigma) {
  DeformableStage stage;
  stage.metrics = {{.kind = kind, .radius = 3}, {.kind = MetricKind::mse, .weight = 0.5}};
  stage.sigma_update = sigma;
  stage.sigma_warp = sigma;
  if (sigma > 1) stage.update_fall = 0.6, stage.warp_fall = 0.4, stage.damping = 0.3;
  return stage;
}

/// Slabs decide memory alone: the same bits of warp and cost.
TEST(Level, SlabsOfAnyThicknessGiveTheSameWarp) {
  const Grid grid = block({29, 14, 17});
  for (const MetricKind kind : {MetricKind::lncc, MetricKind::mi, MetricKind::mse, MetricKind::gc})
    for (const double sigma : {0.0, 0.8, 2.0}) {
      const DeformableStage stage = two_metrics(kind, sigma);
      const Outcome whole = iterate(stage, grid, 29);
      for (const int planes : {2, 7, 28}) {
        const Outcome got = iterate(stage, grid, planes);
        EXPECT_TRUE(std::equal(got.u.begin(), got.u.end(), whole.u.begin(), whole.u.end()))
            << planes << " planes, sigma " << sigma;
        EXPECT_EQ(got.costs, whole.costs) << planes << " planes, sigma " << sigma;
      }
    }
}

/// Ranks decide nothing: the bits of one rank, with wide and with narrow halos.
TEST(Level, ManyRanksGiveTheBitsOfOne) {
  const Grid grid = block({29, 14, 17});
  for (const MetricKind kind : {MetricKind::lncc, MetricKind::mi, MetricKind::mse, MetricKind::gc})
    for (const double sigma : {0.0, 0.8, 2.0}) {
      const DeformableStage stage = two_metrics(kind, sigma);
      const Outcome whole = iterate(stage, grid, 29);
      for (const auto& [ranks, planes] : {std::pair{2, 29}, {3, 4}, {4, 29}, {6, 4}})
        dist::run_threads(ranks, [&](dist::Comm& comm) {
          const Outcome got = iterate(comm, stage, grid, planes);
          EXPECT_TRUE(std::equal(got.u.begin(), got.u.end(), whole.u.begin(), whole.u.end()))
              << ranks << " ranks, " << planes << " planes, sigma " << sigma;
          EXPECT_EQ(got.costs, whole.costs) << ranks << " ranks, sigma " << sigma;
        });
    }
}

/// The same of B-splines, whose knots need not be as far apart along each axis, and of one without
/// the other.
TEST(Level, SplinesGiveTheSameInSlabsAndOnRanks) {
  const Grid grid = block({29, 14, 17});
  for (const bool update : {false, true})
    for (const bool warp : {false, true}) {
      DeformableStage stage;
      stage.metrics = {{.radius = 2}, {.kind = MetricKind::gc}};
      if (update) stage.knots_update = {{3.25, 2, 1.5}};
      if (warp) stage.knots_warp = {{1.25, 2, 2}};
      const Outcome whole = iterate(stage, grid, 29);
      const auto expect_same = [&](const Outcome& got, int ranks, int planes) {
        EXPECT_TRUE(std::equal(got.u.begin(), got.u.end(), whole.u.begin(), whole.u.end()))
            << ranks << " ranks, " << planes << " planes " << update << warp;
        EXPECT_EQ(got.costs, whole.costs) << ranks << " ranks, " << planes << " planes";
      };
      EXPECT_LT(whole.costs[3], whole.costs[0]);
      for (const int planes : {4, 7, 28}) expect_same(iterate(stage, grid, planes), 1, planes);
      for (const int ranks : {2, 5})
        dist::run_threads(
            ranks, [&](dist::Comm& comm) { expect_same(iterate(comm, stage, grid, 6), ranks, 6); });
    }
}

/// The first iteration smooths as if nothing fell; a warp whose Gaussian falls to nothing is less
/// smooth in the end.
TEST(Level, GaussiansNarrowFromTheSecondIterationOn) {
  DeformableStage stage;
  stage.sigma_warp = 1;
  const auto roughness = [](const Outcome& outcome) {
    const std::vector<float> u(outcome.u.begin(), outcome.u.end());
    double sum = 0;
    for (std::size_t i = 1; i < u.size(); ++i) sum += std::abs(u[i] - u[i - 1]);
    return sum;
  };
  const Outcome wide = iterate(stage, block({20, 18, 22}), 20);
  stage.warp_fall = 1;
  const Outcome narrow = iterate(stage, block({20, 18, 22}), 20);
  EXPECT_EQ(narrow.costs[1], wide.costs[1]);
  EXPECT_NE(narrow.costs[2], wide.costs[2]);
  EXPECT_GT(roughness(narrow), 1.2 * roughness(wide));
}

TEST(Level, LowersTheCost) {
  for (const MetricKind kind :
       {MetricKind::lncc, MetricKind::mi, MetricKind::mse, MetricKind::gc}) {
    DeformableStage stage;
    stage.metrics = {{.kind = kind}};
    const auto costs = iterate(stage, block({20, 18, 22}), 20).costs;
    EXPECT_LT(costs[3], costs[0]);
  }
}

TEST(Level, SlabsFitTheirBudget) {
  const DeformableStage stage;
  const Box domain = box_of({300, 100, 120});
  const std::int64_t whole = slab_bytes(stage, domain, 300);
  EXPECT_EQ(slab_planes(stage, domain, whole), 300);
  for (const std::int64_t budget : {whole - 1, whole / 2, whole / 5}) {
    const int planes = slab_planes(stage, domain, budget);
    EXPECT_LE(slab_bytes(stage, domain, planes), budget);
    EXPECT_GT(slab_bytes(stage, domain, planes + 20), slab_bytes(stage, domain, planes));
  }
}

Extent cube(int n) { return {.fixed = block({n, n, n}), .moving = block({n, n, n})}; }

double bytes_per_voxel(const Plan& plan, int n) {
  return static_cast<double>(plan.peak) / (static_cast<double>(n) * n * n);
}

TEST(Plan, KeepsItsPromisePerVoxel) {
  Config config = preset("default");
  config.deformable[0].metrics[0].radius = 2;
  const int n = 1024;
  config.memory = MemoryMode::standard;
  const Config full = resolved(config, cube(n).fixed);
  EXPECT_LE(bytes_per_voxel(make_plan(full, cube(n), Backend::cuda), n), 48);
  Config compact = full;
  compact.memory = MemoryMode::compact;
  const Plan plan = make_plan(compact, cube(n), Backend::cuda);
  EXPECT_EQ(plan.mode, MemoryMode::compact);
  EXPECT_LE(bytes_per_voxel(plan, n), 36);
}

TEST(Plan, CountsWhatTheCallerNeeds) {
  const Config config = resolved(preset("default"), cube(512).fixed);
  const std::int64_t gib = std::int64_t{1} << 30U;
  const Plan alone = make_plan(config, cube(512), Backend::cuda);
  Extent extent = cube(512);
  extent.caller = [&](const Config& its, Backend backend, std::int64_t fixed, std::int64_t moving) {
    EXPECT_EQ(its, config);
    EXPECT_EQ(backend, Backend::cuda);
    EXPECT_EQ(fixed, 512 * 512 * 512);
    EXPECT_EQ(moving, fixed);
    return CallerMemory{.kept = gib, .after = 100 * gib};
  };
  const Plan plan = make_plan(config, extent, Backend::cuda);
  ASSERT_EQ(plan.stages.size(), alone.stages.size() + 1);
  for (std::size_t i = 0; i < alone.stages.size(); ++i)
    EXPECT_EQ(plan.stages[i].bytes, alone.stages[i].bytes + gib) << plan.stages[i].name;
  EXPECT_EQ(plan.stages.back().name, "saving");
  EXPECT_EQ(plan.peak, 101 * gib);
}

TEST(Plan, PicksWhatFitsAndRefusesWithAdvice) {
  const Config config = resolved(preset("default"), cube(1024).fixed);
  const std::int64_t gib = std::int64_t{1} << 30U;
  EXPECT_EQ(choose_plan(config, cube(1024), Backend::cuda, 60 * gib).mode, MemoryMode::standard);
  EXPECT_EQ(choose_plan(config, cube(1024), Backend::cuda, 40 * gib).mode, MemoryMode::compact);
  try {
    choose_plan(config, cube(1024), Backend::cuda, 20 * gib);
    FAIL() << "20 GiB were enough";
  } catch (const OutOfMemory& error) {
    EXPECT_NE(std::string(error.what()).find("1024x1024x1024"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("20.0 GiB are available"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("--shrink"), std::string::npos);
  }
  EXPECT_THROW(choose_plan(config, cube(1024), Backend::cpu, 20 * gib), OutOfMemory);
  Config compact = config;
  compact.memory = MemoryMode::compact;
  EXPECT_THROW(make_plan(compact, cube(64), Backend::cpu), InvalidArgument);
}

}  // namespace
}  // namespace ffdp::registration
