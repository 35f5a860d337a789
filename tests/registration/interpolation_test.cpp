// SPDX-License-Identifier: Apache-2.0
// What a cost gains by interpolation alone must not move a warp.
#include <cmath>
#include <utility>

#include "tests/support/context.hpp"
#include "tests/support/fields.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/copy.hpp"
#include "ffdp/registration/register.hpp"

namespace ffdp::registration {
namespace {

/// Tissue of which two images show different contrasts, each with noise of its own.
Image<float> picture(bool other_contrast, std::uint32_t seed) {
  Grid grid;
  grid.size = {36, 40, 38};
  grid.spacing = {1, 1, 1};
  return {grid, test::make_field(grid.domain(), [&](int z, int y, int x) {
            const double tissue = test::smooth_noise(z, y, x, 7, 3);
            const double shown = other_contrast ? std::pow(1 - tissue, 2) : tissue;
            return shown + 0.35 * (double(noise(z, y, x, seed)) - 0.5);
          })};
}

/// Mean length of the displacement that a level at full resolution finds [voxels].
double motion(const Image<float>& fixed, const Image<float>& moving) {
  Config config;
  config.initialization = Initialization::identity;
  config.deformable = {DeformableStage{.metrics = {{.kind = MetricKind::mi}},
                                       .shrink = {1},
                                       .iterations = {30},
                                       .sigma_update = 1,
                                       .sigma_warp = 1.5}};
  Inputs in;
  in.fixed.push_back({fixed.grid, copy_to(Context{}, Backend::cpu, fixed.data)});
  in.moving.push_back({moving.grid, copy_to(Context{}, Backend::cpu, moving.data)});
  in.fixed_names = {"fixed"};
  in.moving_names = {"moving"};
  Context ctx = test::two_threads();
  dist::SoloComm comm;
  const Result result = register_images(ctx, comm, config, std::move(in), {});
  double sum = 0;
  const VectorView<const float> u = result.displacement;
  test::for_each_voxel(fixed.grid.domain(), [&](int z, int y, int x) {
    sum += std::hypot(u[0](z, y, x), u[1](z, y, x), u[2](z, y, x));
  });
  return sum / static_cast<double>(fixed.grid.domain().volume());
}

/// The mean of neighbours has less noise than each, and mutual information rewards that: images
/// that match must not be pulled to where samples lie between voxels (0.45 voxels by the exact
/// gradient of the interpolant, 0.15 by ops/slopes; noise alone moves some).
TEST(MutualInformation, LeavesMatchingImagesWhereTheyAre) {
  const Image<float> fixed = picture(false, 11), moving = picture(true, 12);
  EXPECT_LT(motion(fixed, moving), 0.25);
}

}  // namespace
}  // namespace ffdp::registration
