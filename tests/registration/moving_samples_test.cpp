// SPDX-License-Identifier: Apache-2.0
// The ways to a moving image that ranks share: the bits of having all of it.
#include "ffdp/registration/deformable/moving_samples.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <set>
#include <string>

#include "tests/support/fields.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"
#include "ffdp/dist/threads.hpp"
#include "ffdp/registration/plan.hpp"

namespace ffdp::registration {
namespace {

const Box domain = box_of({25, 19, 17});

Grid moving_grid() {
  Grid grid;
  grid.size = {24, 21, 18};
  return grid;
}

/// From fixed to moving voxels: a turn about the x axis through the centres.
sampler::Params turned(double degrees) {
  sampler::Params p;
  const double c = std::cos(degrees * std::numbers::pi / 180),
               s = std::sin(degrees * std::numbers::pi / 180);
  p.map.linear = {{{c, s, 0.01}, {-s, c, -0.02}, {0.02, -0.01, 1.03}}};
  p.displacement_map = p.map.linear;
  p.moving_domain = moving_grid().domain();
  for (int a = 0; a < 3; ++a) {
    p.map.translation[a] = 0.5 * (p.moving_domain.size(a) - 1) + 0.13;
    for (int k = 0; k < 3; ++k)
      p.map.translation[a] -= p.map.linear[a][k] * 0.5 * (domain.size(k) - 1);
  }
  return p;
}

std::uint8_t mask_at(int z, int y, int x) { return noise(z, y, x, 4) < 0.8F; }
float cotangent_at(int z, int y, int x) { return noise(z, y, x, 8) - 0.5F; }

VectorField<float> displacement(const Box& box, double amplitude) {
  return test::displacement(domain, box, amplitude, 5);
}

template <class Field>
bool same_voxels(const Field& got, const Field& all) {
  const auto values = test::values(got.view(), got.stored());
  const auto want = test::values(all.view(), got.stored());
  return std::memcmp(values.data(), want.data(), values.size() * sizeof(double)) == 0;
}

/// Warped image and gradient of what a rank owns and some planes around, for displacements that
/// grow, against the ops on all of it.
void expect_the_whole(dist::Comm& comm, MovingAccess access, double degrees, bool masked) {
  Context ctx;
  const sampler::Params p = turned(degrees);
  const Grid grid = moving_grid();
  const auto part = [&](const Box& box) { return Image<float>{grid, test::image(box, 3)}; };
  const auto mask_of = [&](const Box& box) {
    return Image<std::uint8_t>{grid, test::make_field<std::uint8_t>(box, mask_at)};
  };
  const Image<float> all = part(grid.domain());
  const Image<std::uint8_t> whole_mask = mask_of(grid.domain());
  const auto fixed_mask = test::make_field<std::uint8_t>(domain, mask_at);
  const sampler::Masks masks =
      masked ? sampler::Masks{fixed_mask.view(), whole_mask.data.view()} : sampler::Masks{};
  const Box own_moving = dist::Cut(comm, grid.domain()).own(comm);
  const Image<float> mine = part(own_moving);
  const Image<std::uint8_t> my_mask = mask_of(own_moving);
  const Box own = dist::Cut(comm, domain).own(comm);
  const auto around = [&](int planes) { return intersect(grow(own, Int3{planes, 0, 0}), domain); };
  MovingSamples samples(p, domain, mine, masked ? &my_mask : nullptr, masks.fixed, {access, 0});
  const auto g = test::make_field(domain, cotangent_at);
  double last = 0;  // the second warp is as far from the first as one may be without a look at it
  for (const double amplitude : {0.0, 6.0, 9.0}) {
    const auto u = displacement(domain, amplitude);
    Field<float> want(Backend::cpu, domain), got(Backend::cpu, around(5));
    VectorField<float> want_u(Backend::cpu, domain), got_u(Backend::cpu, around(2));
    sampler::forward(ctx, p, domain, domain, all.data, u, masks, want);
    sampler::backward_displacement(ctx, p, domain, domain, all.data, u, g,
                                   {want_u, 0.7F, sampler::Into::overwrite});
    const auto mine_u = displacement(around(6), amplitude);
    samples.prepare(ctx, comm, around(5), around(2), mine_u, amplitude - last);
    last = amplitude;
    samples.warp(ctx, around(5), mine_u, got);
    samples.add_gradient(ctx, around(2), mine_u, g, {got_u, 0.7F, sampler::Into::overwrite});
    EXPECT_TRUE(same_voxels(got, want)) << "way " << static_cast<int>(access) << ", " << degrees
                                        << " degrees, up to " << amplitude << " voxels";
    EXPECT_TRUE(same_voxels(got_u, want_u)) << "way " << static_cast<int>(access) << ", " << degrees
                                            << " degrees, up to " << amplitude << " voxels";
  }
}

TEST(MovingSamples, HaveTheBitsOfTheWholeImageByEveryWay) {
  for (const MovingAccess access :
       {MovingAccess::automatic, MovingAccess::replicate, MovingAccess::fetch, MovingAccess::ring})
    for (const double degrees : {0.0, 60.0, 180.0})
      for (const bool masked : {false, true}) {
        dist::SoloComm solo;
        expect_the_whole(solo, access, degrees, masked);
        for (const int ranks : {2, 3, 4, 6})
          dist::run_threads(
              ranks, [&](dist::Comm& comm) { expect_the_whole(comm, access, degrees, masked); });
      }
}

TEST(MovingSamples, AreGotAtInTheFirstWayThatFits) {
  const MovingNeeds turned{.replicate = 100, .fetch = 90, .ring = 50};
  for (const Backend backend : {Backend::cpu, Backend::cuda}) {
    const auto automatic = [&](std::int64_t room) {
      return choose_access({MovingAccess::automatic, room, backend}, turned);
    };
    EXPECT_EQ(automatic(0), MovingAccess::fetch) << "unknown room";
    EXPECT_EQ(automatic(100),
              backend == Backend::cuda ? MovingAccess::replicate : MovingAccess::fetch)
        << "ranks on CPUs leave alone what they do not need";
    EXPECT_EQ(automatic(99), MovingAccess::fetch);
    EXPECT_EQ(automatic(89), MovingAccess::ring);
    EXPECT_EQ(automatic(1), MovingAccess::ring);
  }
  const MovingNeeds everything{.replicate = 100, .fetch = 100, .ring = 90};
  EXPECT_EQ(choose_access({MovingAccess::automatic, 100}, everything), MovingAccess::replicate);
  EXPECT_EQ(choose_access({MovingAccess::automatic, 95}, everything), MovingAccess::ring);
  const MovingNeeds straight{.replicate = 100, .fetch = 30, .ring = 50};
  EXPECT_EQ(choose_access({MovingAccess::automatic, 20}, straight), MovingAccess::fetch)
      << "the ring would take more";
  for (const MovingAccess asked :
       {MovingAccess::replicate, MovingAccess::fetch, MovingAccess::ring})
    EXPECT_EQ(choose_access({asked, 1}, turned), asked);
}

/// The ranks of the middle reach more than those of the ends, for which fetching would fit; who
/// passes nothing on would be waited for.
TEST(MovingSamples, AreGotAtInOneWayByAllRanks) {
  Grid grid;
  grid.size = {144, 72, 8};
  sampler::Params p;
  p.moving_domain = grid.domain();
  p.map.linear = p.displacement_map = {{{0.5, 0.87, 0}, {-0.87, 0.5, 0}, {0, 0, 1}}};
  p.map.translation = {6, 81, 0};
  dist::run_threads(12, [&](dist::Comm& comm) {
    Context ctx;
    const Box own = dist::Cut(comm, grid.domain()).own(comm);
    const Image<float> mine{grid, test::image(own, 3)};
    const auto u = test::make_vector_field(own, [](int, int, int, int) { return 0; });
    std::set<MovingAccess> ways;
    for (std::int64_t room = 9000; room < 360000; room += 4500) {
      MovingSamples samples(p, grid.domain(), mine, nullptr, {},
                            {MovingAccess::automatic, room, Backend::cuda});
      samples.prepare(ctx, comm, own, own, u, 0);
      const auto all = comm.all_gather(*samples.access());
      for (const MovingAccess way : all) EXPECT_EQ(way, all[0]) << room;
      ways.insert(all[0]);
    }
    EXPECT_EQ(ways.size(), 3U);
  });
}

/// The plan of a cube for eight ranks.
Plan plan_of_cube(MovingAccess access, std::int64_t available) {
  Config config = preset("default");
  config.moving_access = access;
  Grid cube;
  cube.size = {400, 400, 400};
  const Extent extent{.fixed = cube, .moving = cube, .ranks = 8};
  return choose_plan(resolved(config, cube), extent, Backend::cpu, available);
}

PlanStage finest_level(const Plan& plan) {
  return *std::find_if(plan.stages.rbegin(), plan.stages.rend(),
                       [](const PlanStage& stage) { return stage.name == "deformable"; });
}

TEST(MovingPlan, PicksTheWayToTheMovingImageThatFits) {
  const auto bytes = [](MovingAccess access) {
    return finest_level(plan_of_cube(access, 0)).bytes;
  };
  const std::int64_t replicate = bytes(MovingAccess::replicate), fetch = bytes(MovingAccess::fetch);
  EXPECT_GT(replicate, fetch);
  EXPECT_GT(bytes(MovingAccess::ring), fetch);
  const auto picked = [](std::int64_t available) {
    return *finest_level(plan_of_cube(MovingAccess::automatic, available)).moving;
  };
  EXPECT_EQ(picked(0), MovingAccess::fetch);
  EXPECT_EQ(picked(replicate), MovingAccess::fetch);
  EXPECT_EQ(picked(fetch), MovingAccess::fetch);
  try {
    plan_of_cube(MovingAccess::ring, fetch);
    FAIL() << "the ring took no more than fetching";
  } catch (const OutOfMemory& error) {
    EXPECT_NE(std::string(error.what()).find("--moving-access automatic"), std::string::npos);
  }
}

}  // namespace
}  // namespace ffdp::registration
