// SPDX-License-Identifier: Apache-2.0
#include "ffdp/transforms/chain_source.hpp"

#include <cmath>
#include <memory>
#include <vector>

#include "tests/support/fields.hpp"

#include <gtest/gtest.h>

#include "ffdp/ops/points/points.hpp"
#include "ffdp/transforms/apply.hpp"

namespace ffdp::transforms {
namespace {

/// A number of [-size, size] that belongs to i, k and seed.
double draw(int i, int k, std::uint32_t seed, double size) {
  return size * (2 * static_cast<double>(noise(i, k, 0, seed)) - 1);
}

Affine random_affine(int i, std::uint32_t seed, double shift) {
  Affine a;
  for (int r = 0; r < 3; ++r) {
    for (int c = 0; c < 3; ++c) a.linear[r][c] = (r == c) + draw(i, 3 * r + c, seed, 0.4);
    a.translation[r] = draw(i, 9 + r, seed, shift);
  }
  return a;
}

Grid random_grid(int i, std::uint32_t seed) {
  Grid grid;
  for (int a = 0; a < 3; ++a) {
    grid.size[a] = 8 + static_cast<int>(noise_bits(i, a, 1, seed) % 30);
    grid.spacing[a] = 1 + draw(i, a, seed + 1, 0.6);
    grid.origin[a] = draw(i, a, seed + 2, 4);
  }
  if (i % 3 == 1) grid.direction = {{{0, -1, 0}, {1, 0, 0}, {0, 0, 1}}};
  return grid;
}

/// Every voxel that a sample reads lies in the box, for boxes and chains of all kinds.
TEST(ChainSource, TheBoundsHoldWhatThePointsRead) {
  Context ctx;
  int reading = 0;
  for (int i = 0; i < 3000; ++i) {
    const Grid fixed = random_grid(i, 1), middle = random_grid(i, 11), moving = random_grid(i, 21);
    Box box = fixed.domain();
    for (int a = 0; a < 3; ++a) {  // a few voxels
      box.lo[a] = static_cast<int>(noise_bits(i, a, 2, 3) % static_cast<unsigned>(box.hi[a]));
      box.hi[a] = std::min(box.lo[a] + 1 + i % 3, box.hi[a]);
    }
    CompositeTransform chain;
    chain.append(random_affine(i, 31, 8));
    chain.append(std::make_shared<const DisplacementImage>(DisplacementImage{
        middle, test::make_vector_field(middle.domain(), [&](int c, int z, int y, int x) {
          return draw(i, c, 51, 6) + noise(z, y, x, static_cast<unsigned>(7 * i + c));
        })}));
    chain.append(random_affine(i, 41, 8));
    const auto reaching = ChainSource(chain).reaching(ctx, fixed, box);
    std::vector<Vec3> points;
    test::for_each_voxel(box, [&](int z, int y, int x) {
      points.push_back(fixed.to_world()({double(z), double(y), double(x)}));
    });
    chain.map(ctx, points);
    for (Vec3& p : points) p = moving.to_index()(p);
    const std::pair<Interpolation, points::Mode> modes[] = {
        {Interpolation::linear, points::Mode::linear},
        {Interpolation::nearest, points::Mode::nearest},
        {Interpolation::label, points::Mode::linear},
        {Interpolation::bspline, points::Mode::bspline},
        {Interpolation::sinc, points::Mode::sinc}};
    for (const auto& [interpolation, mode] : modes) {
      const Box read = points::reach({mode, 0}, moving.domain(), points);
      const Box bound = reaching.bounds.voxels(moving, halo({.interpolation = interpolation}));
      reading += !read.empty();
      EXPECT_TRUE(read.empty() || bound.contains(read))
          << i << ": " << to_string(bound) << " lacks a part of " << to_string(read);
    }
  }
  EXPECT_GT(reading, 2000);
}

TEST(ChainSource, NoVoxelsReadNothing) {
  Context ctx;
  const Grid grid = random_grid(3, 1);
  const auto reaching = ChainSource().reaching(ctx, grid, {});
  EXPECT_TRUE(reaching.bounds.voxels(grid, 1).empty());
}

}  // namespace
}  // namespace ffdp::transforms
