// SPDX-License-Identifier: Apache-2.0
#include "ffdp/phantom/phantom.hpp"

#include <cmath>
#include <set>
#include <vector>

#include "tests/support/compare.hpp"
#include "tests/support/fields.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"
#include "ffdp/ops/jacobian/jacobian.hpp"

namespace ffdp::phantom {
namespace {

Grid grid_of(Int3 size, double spacing) {
  Grid grid;
  grid.size = size;
  grid.spacing = {spacing, spacing, spacing};
  grid.origin = {-20, 30, 5};
  grid.direction = {{{0, -1, 0}, {0.6, 0, 0.8}, {-0.8, 0, 0.6}}};
  return grid;
}

struct Brain {
  Field<float> image;
  Field<std::uint8_t> labels;
};

Brain make(const Phantom& phantom, const Grid& grid, const Box& box, int threads) {
  Context ctx;
  ctx.threads = threads;
  Brain brain{Field<float>(Backend::cpu, box), Field<std::uint8_t>(Backend::cpu, box)};
  make_phantom(ctx, phantom, grid, box, brain.image, brain.labels);
  return brain;
}

TEST(Phantom, AnyBoxMadeAloneEqualsTheWhole) {
  const Grid grid = grid_of({40, 48, 75}, 4);
  Phantom phantom = fitted_to(grid, {});
  phantom.warp_mm = 5;
  const Brain whole = make(phantom, grid, grid.domain(), 2);
  for (const Box& box : {Box{{11, 0, 3}, {19, 48, 70}}, Box{{20, 21, 30}, {21, 22, 31}}}) {
    const Brain part = make(phantom, grid, box, 1);
    EXPECT_EQ(test::values(part.image.view(), box), test::values(whole.image.view(), box));
    EXPECT_EQ(test::values(part.labels.view(), box), test::values(whole.labels.view(), box));
  }
}

TEST(Phantom, ABoxOfAVolumeBeyondTwoToThe31IsMade) {
  Grid grid = grid_of({3000, 3000, 3000}, 0.05);
  const Phantom phantom = fitted_to(grid, {});
  const Brain brain = make(phantom, grid, {{1500, 1900, 1400}, {1502, 1902, 1500}}, 1);
  const auto values = test::values(brain.image.view(), brain.image.stored());
  EXPECT_GT(*std::max_element(values.begin(), values.end()), 100);
}

TEST(Phantom, HoldsEveryLabelAndNoOther) {
  const Grid grid = grid_of({100, 100, 100}, 2);
  const Brain brain = make(fitted_to(grid, {}), grid, grid.domain(), 2);
  std::set<int> found(brain.labels.begin(), brain.labels.end()), wanted{0};
  for (const PhantomLabel& label : phantom_labels()) wanted.insert(label.number);
  EXPECT_EQ(found, wanted);
}

TEST(Phantom, SubjectsFoldDifferently) {
  const Grid grid = grid_of({48, 48, 48}, 4);
  Phantom other;
  other.subject = 2;
  const Brain a = make(fitted_to(grid, {}), grid, grid.domain(), 2);
  const Brain b = make(fitted_to(grid, other), grid, grid.domain(), 2);
  int cortex = 0, same = 0;
  for (std::int64_t i = 0; i < a.labels.size(); ++i)
    if (a.labels.data()[i] == 3 || a.labels.data()[i] == 42) {
      ++cortex;
      same += a.labels.data()[i] == b.labels.data()[i];
    }
  EXPECT_LT(same, 0.75 * cortex);
}

/// The fixed image at p shows what the moving one shows at p + d(p), pose and oblique grid
/// included.
TEST(Phantom, TheTrueWarpMatchesThePair) {
  const Grid grid = grid_of({30, 36, 33}, 5);
  Phantom fixed = fitted_to(grid, {});
  fixed.noise = 0;
  fixed.bias = 0;
  fixed.warp_mm = 6;
  Phantom moving = fixed;
  moving.warp_mm = 0;
  moving.pose.linear = {{{1.05, 0.1, 0}, {-0.1, 1.02, 0.05}, {0, 0, 0.95}}};
  moving.pose.translation = {7, -4, 11};
  VectorField<float> warp(Backend::cpu, grid.domain());
  Context ctx;
  make_true_warp(ctx, fixed, moving, grid, grid.domain(), warp);
  const Brain brain = make(fixed, grid, grid.domain(), 1);
  std::vector<double> got, want;
  test::for_each_voxel(grid.domain(), [&](int z, int y, int x) {
    if (noise(z, y, x, 9) > 0.03F) return;
    Grid point = grid;  // a grid of one voxel at the mapped point, blurred over the same width
    const Vec3 p = grid.to_world()({double(z), double(y), double(x)});
    for (int c = 0; c < 3; ++c)
      point.origin[c] = p[c] + static_cast<double>(warp.view()[c](z, y, x));
    point.size = {1, 1, 1};
    const Brain there = make(moving, point, point.domain(), 1);
    got.push_back(static_cast<double>(*there.image.data()));
    want.push_back(static_cast<double>(brain.image.view()(z, y, x)));
  });
  const auto difference = test::compare(got, want);
  EXPECT_LT(difference.relative_l2, 1e-3) << difference;
}

TEST(Phantom, TheTrueWarpDoesNotFold) {
  Grid grid;
  grid.size = {50, 50, 50};
  grid.spacing = {3, 3, 3};
  Phantom fixed = fitted_to(grid, {});
  fixed.warp_mm = 6;
  VectorField<float> warp(Backend::cpu, grid.domain());
  Context ctx;
  make_true_warp(ctx, fixed, fitted_to(grid, {}), grid, grid.domain(), warp);
  double longest = 0;
  const auto u = test::make_vector_field(grid.domain(), [&](int c, int z, int y, int x) {
    longest = std::max(longest, std::abs(static_cast<double>(warp.view()[c](z, y, x))));
    return warp.view()[2 - c](z, y, x) / 3;
  });
  const auto s = jacobian::statistics(ctx, grid.domain(), grid.domain(), u, {}).total();
  EXPECT_GT(s.min, 0.2);
  EXPECT_GT(s.sd_log(), 0.05);
  EXPECT_GT(longest, 3);
}

TEST(PhantomRejects, AWarpThatCouldFoldAndABoxOutside) {
  const Grid grid = grid_of({10, 10, 10}, 15);
  Phantom phantom = fitted_to(grid, {});
  EXPECT_THROW(make(phantom, grid, box_of({10, 10, 11}), 1), InvalidArgument);
  phantom.warp_mm = 50;
  EXPECT_THROW(make(phantom, grid, grid.domain(), 1), InvalidArgument);
  EXPECT_THROW(contrast_from("ct"), InvalidArgument);
}

}  // namespace
}  // namespace ffdp::phantom
