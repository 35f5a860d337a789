// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "tests/support/fields.hpp"
#include "tests/support/grids.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"
#include "ffdp/phantom/phantom.hpp"
#include "ffdp/registration/images/distribution.hpp"
#include "ffdp/registration/images/pyramid.hpp"
#include "ffdp/registration/register.hpp"

namespace ffdp::registration {
namespace {

using phantom::fitted_to;
using phantom::make_phantom;
using phantom::make_true_warp;
using phantom::Phantom;
using test::brain_grid;

struct Case {
  Image<float> fixed, moving;
  Phantom fixed_phantom, moving_phantom;
};

/// A phantom brain and the same one, warped by up to `warp_mm` and placed by `pose`.
Case make_case(Context& ctx, const Grid& grid, double warp_mm, const Affine& pose) {
  Case c;
  Phantom phantom;
  phantom.noise = 0.01;
  c.moving_phantom = fitted_to(grid, phantom);
  c.moving_phantom.scan = 2;
  c.fixed_phantom = fitted_to(grid, phantom);
  c.fixed_phantom.warp_mm = warp_mm;
  c.moving_phantom.pose = pose;
  const auto make = [&](const Phantom& p) {
    Image<float> image{grid, Field<float>(Backend::cpu, grid.domain())};
    make_phantom(ctx, p, grid, grid.domain(), image.data, {});
    return image;
  };
  c.fixed = make(c.fixed_phantom);
  c.moving = make(c.moving_phantom);
  return c;
}

Image<float> copy(const Image<float>& image) {
  Image<float> r{image.grid, Field<float>(Backend::cpu, image.data.stored())};
  std::copy(image.data.begin(), image.data.end(), r.data.begin());
  return r;
}

Inputs inputs(const Image<float>& fixed, const Image<float>& moving) {
  Inputs in;
  in.fixed.push_back(copy(fixed));
  in.moving.push_back(copy(moving));
  in.fixed_names = {"fixed.nii"};
  in.moving_names = {"moving.nii"};
  return in;
}

Result run(const Config& config, Inputs in, int threads) {
  Context ctx;
  ctx.threads = threads;
  dist::SoloComm comm;
  return register_images(ctx, comm, config, std::move(in), nullptr);
}

/// Distance between phi and the true map over the voxels of the head [mm].
struct Error {
  double mean = 0, max = 0;
};
Error error_of(Context& ctx, const Case& c, const Result& result) {
  const Grid& grid = c.fixed.grid;
  VectorField<float> truth(Backend::cpu, grid.domain());
  make_true_warp(ctx, c.fixed_phantom, c.moving_phantom, grid, grid.domain(), truth);
  const auto t = truth.view();
  const auto u = result.displacement.view();
  const auto f = c.fixed.data.view();
  const Affine world = grid.to_world();
  Error e;
  double count = 0;
  test::for_each_voxel(grid.domain(), [&](int z, int y, int x) {
    if (!(f(z, y, x) > 150)) return;
    Vec3 index{double(z), double(y), double(x)};
    const Vec3 p = world(index);
    for (int k = 0; k < 3 && u; ++k) index[k] += u[k](z, y, x);
    const Vec3 q = result.affine(world(index));
    double squares = 0;
    for (int k = 0; k < 3; ++k) squares += std::pow(q[k] - p[k] - t[k](z, y, x), 2);
    e.mean += std::sqrt(squares);
    e.max = std::max(e.max, std::sqrt(squares));
    ++count;
  });
  e.mean /= count;
  return e;
}

TEST(Pyramid, LevelsKeepTheExtentOfTheImageInTheWorld) {
  Grid grid;
  grid.size = {37, 50, 81};
  grid.spacing = {0.7, 1.3, 2.9};
  grid.origin = {12.5, -40.25, 7};
  grid.direction = {{{0.8, -0.6, 0}, {0.6, 0.8, 0}, {0, 0, -1}}};
  for (double spacing : {0.7, 1.4, 2.8, 5.6}) {
    const Grid level = level_grid(grid, spacing, 4);
    for (int corner = 0; corner < 8; ++corner) {
      const auto at = [&](const Grid& g) {
        return g.to_world()({(corner & 4) ? g.size[0] - 0.5 : -0.5,
                             (corner & 2) ? g.size[1] - 0.5 : -0.5,
                             (corner & 1) ? g.size[2] - 0.5 : -0.5});
      };
      const Vec3 full = at(grid), coarse = at(level);
      for (int k = 0; k < 3; ++k) EXPECT_LT(std::abs(full[k] - coarse[k]), 1e-6);
    }
  }
}

TEST(Pyramid, ShrinksAnisotropicImagesTowardsIsotropy) {
  Grid grid;
  grid.size = {20, 120, 120};
  grid.spacing = {1, 1, 6};
  EXPECT_EQ(level_grid(grid, 2, 4).size, (Int3{20, 60, 60}));
  EXPECT_EQ(level_grid(grid, 8, 4).size, (Int3{15, 15, 15}));
}

TEST(Pyramid, LinearLevelsOfLargeImagesAreCoarser) {
  Grid grid;
  grid.size = {400, 500, 600};
  grid.spacing = {0.5, 0.25, 0.25};
  EXPECT_DOUBLE_EQ(linear_spacing(grid, 2, 0), 0.5);
  EXPECT_DOUBLE_EQ(linear_spacing(grid, 2, 31e6), 0.5);  // 600 x 250 x 200 voxels
  // Of this extent, 1e6 cubes are 1.5536 mm wide; sizes are rounded up.
  EXPECT_EQ(level_grid(grid, linear_spacing(grid, 2, 1e6), 8).size, (Int3{65, 81, 194}));
}

TEST(Stages, AveragingBothDirectionsAndRefiningIsAsAccurate) {
  Context ctx;
  const Case c = make_case(ctx, brain_grid(), 8, Affine{});
  Config config = preset("default");
  const Result one_way = run(config, inputs(c.fixed, c.moving), 2);
  config.symmetric = true;
  config.refine = 5;
  const Result both = run(config, inputs(c.fixed, c.moving), 2);
  const double before = error_of(ctx, c, Result{}).mean;
  EXPECT_LT(error_of(ctx, c, both).mean, 0.7 * before);
  EXPECT_LT(error_of(ctx, c, both).mean, 1.05 * error_of(ctx, c, one_way).mean);
}

TEST(Stages, AGentleWarpWidensTheFinestLevelAlone) {
  Context ctx;
  const Case c = make_case(ctx, brain_grid(), 4, Affine{});
  Config config = preset("default");
  config.deformable[0].shrink = {4, 2, 1};
  config.deformable[0].gentle.full = config.deformable[0].gentle.none = 10;  // whatever the warp
  config.deformable[0].gentle.across = 0;
  const Result wide = run(config, inputs(c.fixed, c.moving), 2);
  ASSERT_EQ(wide.levels.size(), 3U);
  for (int level : {0, 1}) {
    EXPECT_FALSE(wide.levels[level].change) << level;
    EXPECT_EQ(wide.levels[level].sigma_update, config.deformable[0].sigma_update) << level;
  }
  EXPECT_EQ(wide.levels[2].sigma_update, 2.6);
  EXPECT_EQ(wide.levels[2].sigma_warp, 1.3);
  const double change = wide.levels[2].change.value();
  EXPECT_GT(change, 0.01);

  // Just above the limits, a stage is as if it had none.
  config.deformable[0].gentle.full = config.deformable[0].gentle.none = 0.999 * change;
  const Result above = run(config, inputs(c.fixed, c.moving), 2);
  EXPECT_EQ(above.levels[2].change, change);
  config.deformable[0].gentle = {};
  const Result narrow = run(config, inputs(c.fixed, c.moving), 2);
  EXPECT_FALSE(narrow.levels[2].change);
  EXPECT_EQ(above.levels[2].costs, narrow.levels[2].costs);
  EXPECT_NE(wide.levels[2].costs, narrow.levels[2].costs);
  EXPECT_LT(wide.jacobian.sd_log(), 0.9 * narrow.jacobian.sd_log());
}

struct MaskedCase {
  const char* name;
  bool fixed, moving;  ///< which masks are given
  const char* preset;
  void (*change)(Config&);
};
void PrintTo(const MaskedCase& c, std::ostream* out) { *out << c.name; }

class Masked : public testing::TestWithParam<MaskedCase> {};

Image<std::uint8_t> mask_of(const Grid& grid, const Box& inside) {
  return {grid, test::make_field<std::uint8_t>(grid.domain(), [&](int z, int y, int x) {
            return inside.contains(z, y, x) && noise(z, y, x, 5) > 0.02F;
          })};
}

/// What hides behind the masks: padding of CT, numbers that swamp all sums, nothing at all.
TEST_P(Masked, VoxelsDoNotChangeABit) {
  Context ctx;
  Case c = make_case(ctx, brain_grid(), 6, Affine{Affine{}.linear, {3, -2, 4}});
  const Box inside = grow(c.fixed.grid.domain(), -7);
  const auto masked = [&](float hidden) {
    Inputs in = inputs(c.fixed, c.moving);
    for (const bool fixed : {true, false}) {
      if (!(fixed ? GetParam().fixed : GetParam().moving)) continue;
      auto mask = mask_of(c.fixed.grid, inside);
      Image<float>& image = fixed ? in.fixed[0] : in.moving[0];
      for (std::int64_t i = 0; i < image.data.size(); ++i)
        if (mask.data.data()[i] == 0) image.data.data()[i] = hidden * static_cast<float>(1 + i % 3);
      (fixed ? in.fixed_mask : in.moving_mask) = std::move(mask);
    }
    Config config = preset(GetParam().preset);
    for (DeformableStage& stage : config.deformable) stage.iterations = {8, 4};
    GetParam().change(config);
    return run(config, std::move(in), 2);
  };
  const Result want = masked(0);
  for (const float hidden : {-32768.0F, 1e30F, std::numeric_limits<float>::quiet_NaN()}) {
    const Result got = masked(hidden);
    EXPECT_EQ(got.affine, want.affine) << hidden;
    const auto bytes = [](const VectorField<float>& u) {
      return std::string(reinterpret_cast<const char*>(u.begin()),
                         reinterpret_cast<const char*>(u.end()));
    };
    EXPECT_TRUE(bytes(got.displacement) == bytes(want.displacement)) << hidden;
    EXPECT_TRUE(bytes(got.inverse) == bytes(want.inverse)) << hidden;
    for (std::size_t i = 0; i < want.levels.size(); ++i)
      EXPECT_EQ(got.levels[i].costs, want.levels[i].costs) << hidden;
  }
}
INSTANTIATE_TEST_SUITE_P(
    Cases, Masked,
    testing::Values(MaskedCase{"both", true, true, "default", [](Config&) {}},
                    MaskedCase{"fixed", true, false, "default", [](Config&) {}},
                    MaskedCase{"moving", false, true, "default", [](Config&) {}},
                    MaskedCase{"affine", true, true, "affine", [](Config&) {}},
                    MaskedCase{"prepared", true, true, "affine",
                               [](Config& config) {
                                 config.winsorize_lo = 0.01;
                                 config.winsorize_hi = 0.99;
                                 config.match_histograms = true;
                               }},
                    MaskedCase{"symmetric", true, true, "accurate", [](Config&) {}},
                    MaskedCase{"mi", true, true, "default",
                               [](Config& config) {
                                 config.deformable[0].metrics = {{.kind = MetricKind::mi}};
                                 use_global_metrics(config);
                               }},
                    MaskedCase{"gc", true, true, "default",
                               [](Config& config) {
                                 config.deformable[0].metrics = {{.kind = MetricKind::gc}};
                                 use_global_metrics(config);
                               }},
                    MaskedCase{
                        "moments", true, true, "rigid",
                        [](Config& config) { config.initialization = Initialization::moments; }}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(Stages, PaddingBehindMasksDoesNotMoveTheResult) {
  Context ctx;
  const Case c = make_case(ctx, brain_grid(), 4, Affine{Affine{}.linear, {3, -2, 4}});
  const Box inside = grow(c.fixed.grid.domain(), -6);
  Inputs in = inputs(c.fixed, c.moving);
  for (auto* image : {&in.fixed[0], &in.moving[0]})
    test::for_each_voxel(c.fixed.grid.domain(), [&](int z, int y, int x) {
      if (!inside.contains(z, y, x)) image->data.view()(z, y, x) = -32768;
    });
  in.fixed_mask = mask_of(c.fixed.grid, inside);
  in.moving_mask = mask_of(c.fixed.grid, inside);
  const double without = error_of(ctx, c, run(preset("fast"), inputs(c.fixed, c.moving), 2)).mean;
  EXPECT_LT(error_of(ctx, c, run(preset("fast"), std::move(in), 2)).mean, 1.5 * without);
}

TEST(Stages, VoxelsThatAreNoNumbersAreLeftOut) {
  Context ctx;
  const Case c = make_case(ctx, brain_grid(), 4, Affine{Affine{}.linear, {3, -2, 4}});
  const double want = error_of(ctx, c, run(preset("fast"), inputs(c.fixed, c.moving), 2)).mean;
  for (const float none : {std::numeric_limits<float>::quiet_NaN(), HUGE_VALF}) {
    Inputs in = inputs(c.fixed, c.moving);
    for (auto* image : {&in.fixed[0], &in.moving[0]})
      for (float& v : image->data)
        if (v < 40) v = none;
    EXPECT_LT(error_of(ctx, c, run(preset("fast"), std::move(in), 2)).mean, 1.3 * want) << none;
  }
}

TEST(Stages, HotVoxelsDoNotMatter) {
  Context ctx;
  const Case c = make_case(ctx, brain_grid(), 4, Affine{Affine{}.linear, {3, -2, 4}});
  const double want = error_of(ctx, c, run(preset("fast"), inputs(c.fixed, c.moving), 2)).mean;
  for (const auto& [hot, both] : {std::pair{1e6F, true}, {-1e6F, false}, {3e38F, true}}) {
    Inputs in = inputs(c.fixed, c.moving);
    in.moving[0].data.view()(20, 21, 17) = hot;
    for (int x = 10; both && x < 15; ++x) in.fixed[0].data.view()(22, 19, x) = hot;
    EXPECT_LT(error_of(ctx, c, run(preset("fast"), std::move(in), 2)).mean, 1.3 * want) << hot;
  }
}

TEST(Distribution, QuantilesHoldBesideVoxelsFarFromAllOthers) {
  Grid grid;
  grid.size = {20, 30, 40};
  const Box box = grid.domain();
  Image<float> image{
      grid, test::make_field(box, [](int z, int y, int x) { return 100 * noise(z, y, x, 1); })};
  Context ctx;
  dist::SoloComm comm;
  const Distribution clean(ctx, comm, "clean", image, {});
  std::vector<float> sorted(image.data.begin(), image.data.end());
  std::sort(sorted.begin(), sorted.end());
  for (const double q : {0.01, 0.25, 0.5, 0.99}) {
    EXPECT_NEAR(clean.quantile(q), sorted[static_cast<std::size_t>(q * sorted.size())], 0.05);
    EXPECT_NEAR(clean.share_below(clean.quantile(q)), q, 1e-9);
  }
  image.data.data()[77] = 1e9F;
  image.data.data()[78] = -3e38F;
  const Distribution hot(ctx, comm, "hot", image, {});
  for (const double q : {0.01, 0.25, 0.5, 0.99})
    EXPECT_NEAR(hot.quantile(q), clean.quantile(q), 0.1);
  EXPECT_LT(hot.robust().hi, 101);
  EXPECT_GT(hot.robust().lo, -1);
  // Hardly anything but background: all there is counts.
  const Image<float> sparse{
      grid, test::make_field(box, [](int z, int y, int x) { return z == 3 && y == 4 && x < 5; })};
  const intensity::Range all = Distribution(ctx, comm, "sparse", sparse, {}).robust();
  EXPECT_EQ(all.lo, 0);
  EXPECT_EQ(all.hi, 1);
}

TEST(Stages, RejectsWhatCannotBeRegistered) {
  Context ctx;
  const Case c = make_case(ctx, brain_grid(), 0, Affine{});
  const auto rejects = [&](auto&& change, const std::string& word) {
    Inputs in = inputs(c.fixed, c.moving);
    change(in);
    try {
      run(preset("affine"), std::move(in), 1);
      ADD_FAILURE() << "accepted; wanted an error with \"" << word << '"';
    } catch (const InvalidArgument& error) {
      EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
    }
  };
  rejects([](Inputs& in) { std::fill(in.fixed[0].data.begin(), in.fixed[0].data.end(), 3.0F); },
          "fixed.nii: every voxel is 3");
  rejects([](Inputs& in) { std::fill(in.moving[0].data.begin(), in.moving[0].data.end(), NAN); },
          "moving.nii: no voxel inside the mask is a finite number");
  rejects(
      [](Inputs& in) {
        in.moving_mask = mask_of(in.moving[0].grid, in.moving[0].grid.domain());
        in.moving.push_back(copy(in.moving[0]));
        in.fixed.push_back(copy(in.fixed[0]));
        in.moving[1].grid.origin[0] += 5;
        in.fixed_names.push_back("second.nii");
        in.moving_names.push_back("other.nii");
      },
      "other.nii: lies on another grid");
  rejects(
      [](Inputs& in) {
        Grid grid;
        grid.size = {4, 1, 5};
        in.moving[0] = {grid, Field<float>(Backend::cpu, grid.domain())};
        std::fill(in.moving[0].data.begin(), in.moving[0].data.end(), 1.0F);
      },
      "moving.nii: the image has 5x1x4 voxels");
  rejects(
      [](Inputs& in) {
        Grid grid;
        grid.size = {1, 9, 9};
        in.moving[0] = {grid,
                        test::make_field(grid.domain(), [](int, int y, int x) { return x * y; })};
      },
      "moving.nii: a 2-D image");
  rejects(
      [](Inputs& in) {
        in.fixed_mask = Image<std::uint8_t>{
            in.fixed[0].grid, Field<std::uint8_t>(Backend::cpu, in.fixed[0].data.stored())};
        std::fill(in.fixed_mask->data.begin(), in.fixed_mask->data.end(), std::uint8_t{0});
      },
      "mask is empty");
}

}  // namespace
}  // namespace ffdp::registration
