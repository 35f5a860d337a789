// SPDX-License-Identifier: Apache-2.0
// How planes of an image are laid on the screen, and what their edges are called.
#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "cli/report/pictures.hpp"

#include <gtest/gtest.h>

namespace ffdp::cli::report {
namespace {

/// A grid whose index axes x, y, z run along the axes `order` of the world, with these signs.
Grid grid_of(const std::array<int, 3>& order, int signs) {
  Grid grid;
  grid.size = {30, 20, 40};
  grid.spacing = {1, 2, 3};
  grid.direction = {};
  for (int i = 0; i < 3; ++i) grid.direction[order[i]][i] = ((signs >> i) & 1) != 0 ? -1 : 1;
  return grid;
}

/// The world axis along which points go from `a` to `b`, and in which direction: "+x" say.
std::string way(const Vec3& a, const Vec3& b) {
  int most = 0;
  for (int i = 1; i < 3; ++i)
    if (std::abs(b[i] - a[i]) > std::abs(b[most] - a[most])) most = i;
  return std::string(b[most] > a[most] ? "+" : "-") + "xyz"[most];
}

TEST(ReportPictures, EveryOrientationIsShownTheRadiologistsWay) {
  // LPS: to the right of the screen goes the left of the person (+x) or the back (+y), downwards
  // the back (+y) or the feet (-z).
  struct Want {
    std::string right, down, ends;
  };
  const std::array<std::pair<std::string, Want>, 3> wanted{{{"axial", {"+x", "+y", "RLAP"}},
                                                            {"coronal", {"+x", "-z", "RLSI"}},
                                                            {"sagittal", {"+y", "-z", "APSI"}}}};
  std::array<int, 3> order{0, 1, 2};
  int seen = 0;
  do {
    for (int signs = 0; signs < 8; ++signs) {
      const Grid grid = grid_of(order, signs);
      const auto pictures = choose_pictures(grid, 1);
      ASSERT_EQ(pictures.size(), 3U);
      for (std::size_t i = 0; i < 3; ++i) {
        const Picture& p = pictures[i];
        const auto& [plane, want] = wanted[i];
        EXPECT_EQ(p.plane, plane);
        EXPECT_EQ(p.ends[0] + p.ends[1] + p.ends[2] + p.ends[3], want.ends) << plane << signs;
        const auto points = points_of(grid, {p});
        EXPECT_EQ(way(points.front(), points[p.columns.size() - 1]), want.right) << plane;
        EXPECT_EQ(way(points.front(), points[points.size() - p.columns.size()]), want.down);
        EXPECT_LT(obliqueness(grid), 1e-6);
        ++seen;
      }
    }
  } while (std::ranges::next_permutation(order).found);
  EXPECT_EQ(seen, 48 * 3);
}

TEST(ReportPictures, AnObliqueGridSaysHowOblique) {
  Grid grid;
  grid.size = {30, 20, 40};
  const double c = std::cos(0.3), s = std::sin(0.3);
  grid.direction = {{{c, -s, 0}, {s, c, 0}, {0, 0, 1}}};
  EXPECT_NEAR(obliqueness(grid), 0.3 * 180 / std::acos(-1.0), 1e-9);
  EXPECT_EQ(choose_pictures(grid, 1)[0].ends[0], "R");
}

TEST(ReportPictures, APlaneImageIsOnePictureAsInTheFile) {
  Grid grid;
  grid.size = {1, 20, 40};
  const auto pictures = choose_pictures(grid, 3);
  ASSERT_EQ(pictures.size(), 1U);
  const Picture& p = pictures[0];
  EXPECT_EQ(p.plane, "plane x, y");
  EXPECT_EQ(p.ends[0] + p.ends[1] + p.ends[2] + p.ends[3], "-x+x-y+y");
  EXPECT_EQ(p.columns.size(), 40U);
  EXPECT_EQ(p.rows.size(), 20U);
  EXPECT_EQ(p.voxel(2, 3), (Int3{0, 2, 3}));
}

TEST(ReportPictures, ASagittalSliceIsOneAnatomicalPicture) {
  Grid grid;
  grid.size = {30, 20, 1};
  const auto pictures = choose_pictures(grid, 3);
  ASSERT_EQ(pictures.size(), 1U);
  EXPECT_EQ(pictures[0].plane, "sagittal");
}

TEST(ReportPictures, PositionsAreInMillimetresOfTheWorld) {
  Grid grid;
  grid.size = {100, 100, 100};
  grid.spacing = {1, 1, 2};
  grid.origin = {-50, -50, -70};
  const auto pictures = choose_pictures(grid, 3);
  ASSERT_EQ(pictures.size(), 9U);
  EXPECT_EQ(pictures[0].position, "S 0.0 mm");   // voxel 35
  EXPECT_EQ(pictures[1].position, "S 30.0 mm");  // voxel 50
  EXPECT_EQ(pictures[6].position, "R 15.0 mm");
  EXPECT_EQ(pictures[3].height_mm, 200);
}

TEST(ReportPictures, LargeImagesAreThinnedOut) {
  Grid grid;
  grid.size = {3000, 2000, 1000};
  for (const Picture& p : choose_pictures(grid, 3)) {
    EXPECT_LE(p.columns.size(), 320U);
    EXPECT_LE(p.rows.size(), 320U);
    EXPECT_GE(p.columns.size(), 200U);
    EXPECT_LT(std::ranges::max(p.columns), grid.size[p.right]);
  }
}

}  // namespace
}  // namespace ffdp::cli::report
