// SPDX-License-Identifier: Apache-2.0
// Values of files at the pixels of pictures, read some planes at a time.
#include <cmath>
#include <memory>
#include <string>

#include "cli/report/layers.hpp"
#include "cli/report/maps.hpp"
#include "cli/report/sample.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/data.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/noise.hpp"
#include "ffdp/ops/jacobian/jacobian.hpp"
#include "ffdp/transforms/apply.hpp"
#include "ffdp/transforms/warp.hpp"

namespace ffdp::cli::report {
namespace {

Grid grid_of(const Int3& size) {
  Grid grid;
  grid.size = size;
  grid.spacing = {1.5, 2, 2.5};
  grid.origin = {-7, 8, 9};
  grid.direction = {{{-1, 0, 0}, {0, 0, 1}, {0, 1, 0}}};
  return grid;
}

/// A smooth displacement of some millimetres.
DisplacementImage wave(const Grid& grid, double mm) {
  DisplacementImage warp{grid, VectorField<float>(Backend::cpu, grid.domain())};
  const auto view = warp.data.view();
  for (int c = 0; c < 3; ++c)
    for (int z = 0; z < grid.size[0]; ++z)
      for (int y = 0; y < grid.size[1]; ++y)
        for (int x = 0; x < grid.size[2]; ++x)
          view[c](z, y, x) = static_cast<float>(mm * std::sin(0.21 * x + 0.9 * c) *
                                                std::sin(0.27 * y) * std::cos(0.24 * z + c));
  return warp;
}

/// Calls take(i, voxel) for the pixels of pictures, in the order of points_of.
template <class Take>
void for_each_pixel(const std::vector<Picture>& pictures, Take&& take) {
  std::size_t i = 0;
  for (const Picture& p : pictures)
    for (std::size_t row = 0; row < p.rows.size(); ++row)
      for (std::size_t column = 0; column < p.columns.size(); ++column)
        take(i++, p.voxel(row, column));
}

TEST(ReportSample, GivesTheVoxelsOfPicturesPlaneByPlane) {
  // A plane of 1450^2 is more than half of what is held at a time, so planes come one by one.
  Image<std::uint8_t> image{grid_of({5, 1450, 1450}), {}};
  image.data = Field<std::uint8_t>(Backend::cpu, image.grid.domain());
  std::int64_t n = 0;
  for (auto& value : image.data) value = static_cast<std::uint8_t>(n++ * 2654435761 >> 16U);
  ASSERT_EQ(planes_at_a_time(image.grid), 1);
  const test::TemporaryFolder folder;
  io::WriteOptions options;
  options.type = io::DataType::uint8;
  for (const char* name : {"a.nii", "a.nii.gz"}) {
    io::write_image(folder / name, image, options);
    const auto pictures = choose_pictures(image.grid, 3);
    const auto points = points_of(image.grid, pictures);
    for (const auto sampling : {Sampling::linear, Sampling::nearest}) {
      const auto values = sample(folder / name, 0, sampling, points);
      double worst = 0;
      for_each_pixel(pictures, [&](std::size_t i, const Int3& v) {
        worst = std::max(worst, std::abs(values[i] - image.data.view()(v[0], v[1], v[2])));
      });
      EXPECT_LT(worst, 1e-6);
    }
  }
}

TEST(ReportSample, IsLinearBetweenVoxelsAndNothingOutside) {
  Image<float> image{grid_of({3, 4, 5}), {}};
  image.data = Field<float>(Backend::cpu, image.grid.domain());
  for (int z = 0; z < 3; ++z)
    for (int y = 0; y < 4; ++y)
      for (int x = 0; x < 5; ++x) image.data.view()(z, y, x) = float(100 * z + 10 * y + x);
  const test::TemporaryFolder folder;
  io::write_image(folder / "a.nii", image, {});
  const Affine world = image.grid.to_world();
  const auto at = [&](double z, double y, double x) {
    return sample(folder / "a.nii", 0, Sampling::linear, std::vector<Vec3>{world({z, y, x})})[0];
  };
  EXPECT_FLOAT_EQ(float(at(1.25, 2.5, 3.75)), 153.75F);
  EXPECT_FLOAT_EQ(float(at(2.4, 3.4, -0.4)), 230.0F);  // the outer half of a voxel at the face
  EXPECT_TRUE(std::isnan(at(2.6, 1, 1)));
  EXPECT_TRUE(std::isnan(at(1, 1, -0.6)));
}

TEST(ReportMaps, DeterminantAndDisplacementAreThoseOfTheWholeField) {
  const DisplacementImage warp = wave(grid_of({22, 19, 25}), 14);
  const test::TemporaryFolder folder;
  io::write_displacement(folder / "w.nii.gz", warp, {});
  const auto pictures = choose_pictures(warp.grid, 3);
  Context ctx;
  const WarpMaps maps = warp_maps(ctx, folder / "w.nii.gz", pictures);
  Field<float> whole(Backend::cpu, warp.grid.domain());
  const auto u = transforms::to_voxels(ctx, io::read_displacement(folder / "w.nii.gz"));
  jacobian::forward(ctx, warp.grid.domain(), warp.grid.domain(), u, whole);
  int folds = 0;
  for_each_pixel(pictures, [&](std::size_t i, const Int3& v) {
    const float want = whole.view()(v[0], v[1], v[2]);
    folds += want <= 0;
    ASSERT_EQ(maps.determinant[i], want);
    for (int c = 0; c < 3; ++c)
      ASSERT_EQ(maps.displacement[i][c], warp.data.view()[c](v[0], v[1], v[2]));
  });
  EXPECT_GT(folds, 0) << "the case shows no fold";
}

TEST(ReportMaps, InverseConsistencyIsTheDistanceThroughBoth) {
  const Grid grid = grid_of({22, 19, 25});
  const DisplacementImage there = wave(grid, 2), back = wave(grid, -2);
  const test::TemporaryFolder folder;
  io::write_displacement(folder / "t.nii.gz", there, {});
  io::write_displacement(folder / "b.nii.gz", back, {});
  const auto pictures = choose_pictures(grid, 3);
  const auto points = points_of(grid, pictures);
  Context ctx;
  const auto maps = warp_maps(ctx, folder / "t.nii.gz", pictures);
  const auto got = inverse_consistency(folder / "b.nii.gz", points, maps.displacement);
  transforms::CompositeTransform chain;
  chain.append(
      std::make_shared<const DisplacementImage>(io::read_displacement(folder / "t.nii.gz")));
  chain.append(
      std::make_shared<const DisplacementImage>(io::read_displacement(folder / "b.nii.gz")));
  std::vector<Vec3> mapped = points;
  chain.map(ctx, mapped);
  double largest = 0, worst = 0;
  int compared = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (!std::isfinite(got[i])) continue;
    const double want = std::hypot(mapped[i][0] - points[i][0], mapped[i][1] - points[i][1],
                                   mapped[i][2] - points[i][2]);
    largest = std::max(largest, want);
    worst = std::max(worst, std::abs(got[i] - want));
    ++compared;
  }
  EXPECT_GT(compared, int(points.size()) / 2);
  EXPECT_GT(largest, 0.3);
  EXPECT_LT(worst, 1e-4 * largest);
}

TEST(ReportLayers, GreyHasARangeAndAPlaceForNothing) {
  const std::vector<double> values{NAN, -5, 0, 50, 100, 300};
  const auto codes = grey_of(values, {0, 100});
  EXPECT_EQ(codes, (std::vector<std::uint8_t>{0, 1, 1, 128, 255, 255}));
  std::vector<double> ramp;
  for (int i = 0; i <= 1000; ++i) ramp.push_back(i);
  ramp.push_back(NAN);
  const Window window = window_of({&ramp});
  EXPECT_EQ(window.lo, 5);
  EXPECT_EQ(window.hi, 995);
}

}  // namespace
}  // namespace ffdp::cli::report
