// SPDX-License-Identifier: Apache-2.0
#include "ffdp/core/grid.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"

namespace ffdp {
namespace {

Grid oblique() {
  Grid grid;
  grid.size = {20, 30, 40};
  grid.spacing = {0.5, 1.5, 3};
  grid.origin = {-10, 20, 7};
  grid.direction = {{{0.8, -0.6, 0}, {0.6, 0.8, 0}, {0, 0, -1}}};
  return grid;
}

double distance(const Vec3& a, const Vec3& b) {
  return std::hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}

TEST(Grid, WorldIsLpsMillimetresAndVoxelCentresAreIntegers) {
  const Grid grid = oblique();
  EXPECT_LT(distance(grid.to_world()({0, 0, 0}), grid.origin), 1e-12);
  // One voxel along x is one spacing along the first column of direction.
  EXPECT_LT(distance(grid.to_world()({0, 0, 1}), {-10 + 0.4, 20 + 0.3, 7}), 1e-12);
  EXPECT_LT(distance(grid.to_world()({1, 0, 0}), {-10, 20, 7 - 3}), 1e-12);
}

TEST(Grid, IndexToWorldAndBack) {
  const Grid grid = oblique();
  const Vec3 index{3.25, 17, -4};
  EXPECT_LT(distance(grid.to_index()(grid.to_world()(index)), index), 1e-12);
}

TEST(Grid, AllLevelsCoverTheSameExtent) {
  const Grid grid = oblique();
  const Grid level = with_size(grid, {10, 11, 7});
  for (int corner = 0; corner < 8; ++corner) {
    Vec3 fine, coarse;
    for (int a = 0; a < 3; ++a) {
      const bool high = ((corner >> a) & 1) != 0;
      fine[a] = high ? grid.size[a] - 0.5 : -0.5;
      coarse[a] = high ? level.size[a] - 0.5 : -0.5;
    }
    EXPECT_LT(distance(grid.to_world()(fine), level.to_world()(coarse)), 1e-9);
  }
  EXPECT_LT(distance(grid.centre(), level.centre()), 1e-9);
}

TEST(Grid, SameSpaceLooksAtCornersNotAtNumbers) {
  const Grid grid = oblique();
  Grid other = grid;
  other.origin[0] += 0.02;
  EXPECT_FALSE(same_space(grid, other, 0.01));
  EXPECT_TRUE(same_space(grid, other, 0.1));
  other = grid;
  other.size[2] += 1;
  EXPECT_FALSE(same_space(grid, other, 0.1));
}

TEST(Affine, InverseAndComposition) {
  const Affine a{{{{1, 0.2, 0}, {-0.3, 1.1, 0.4}, {0, 0.1, 0.9}}}, {3, -2, 5}};
  const Affine b{{{{0, 1, 0}, {-1, 0, 0}, {0, 0, 2}}}, {1, 1, 1}};
  const Vec3 p{4, 5, 6};
  EXPECT_LT(distance((a * b)(p), a(b(p))), 1e-12);
  EXPECT_LT(distance(inverse(a)(a(p)), p), 1e-12);
  EXPECT_THROW(inverse(Affine{{{{1, 2, 3}, {2, 4, 6}, {0, 0, 1}}}, {}}), InvalidArgument);
}

}  // namespace
}  // namespace ffdp
