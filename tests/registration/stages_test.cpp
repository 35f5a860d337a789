// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstring>
#include <limits>

#include "tests/support/fields.hpp"
#include "tests/support/grids.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"
#include "ffdp/phantom/phantom.hpp"
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

TEST(Stages, MaskedVoxelsDoNotMatter) {
  Context ctx;
  const Case c = make_case(ctx, brain_grid(), 8, Affine{});
  const auto masked = [&](float garbage) {
    Inputs in = inputs(c.fixed, c.moving);
    Image<std::uint8_t> mask{c.fixed.grid,
                             Field<std::uint8_t>(Backend::cpu, c.fixed.data.stored())};
    std::fill(mask.data.begin(), mask.data.end(), std::uint8_t{1});
    test::for_each_voxel(Box{{28, 0, 0}, {40, 48, 44}}, [&](int z, int y, int x) {
      mask.data.view()(z, y, x) = 0;
      // Within the range of the image, so that its normalisation stays the same.
      if (z >= 32) in.fixed[0].data.view()(z, y, x) = garbage * static_cast<float>((x * y) % 7);
    });
    in.fixed_mask = std::move(mask);
    in.start = Affine{};
    Config config = preset("default");
    config.linear.clear();
    config.deformable[0].shrink = {1};
    config.deformable[0].iterations = {5};
    return run(config, std::move(in), 2);
  };
  const Result a = masked(10), b = masked(100);
  double difference = 0, size = 0;
  for (std::int64_t i = 0; i < a.displacement.end() - a.displacement.begin(); ++i) {
    difference =
        std::max(difference, std::abs(double(a.displacement.data()[i]) - b.displacement.data()[i]));
    size = std::max(size, std::abs(double(a.displacement.data()[i])));
  }
  EXPECT_GT(size, 0.5);
  EXPECT_LT(difference, 0.05 * size);
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
  rejects([](Inputs& in) { in.moving[0].data.data()[77] = NAN; }, "moving.nii: 1 voxels are NaN");
  rejects([](Inputs& in) { in.moving[0].data.data()[77] = INFINITY; }, "moving.nii: 1 voxels");
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
