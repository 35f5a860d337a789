// SPDX-License-Identifier: Apache-2.0
#include "ffdp/transforms/composite_transform.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "tests/support/compare.hpp"
#include "tests/support/context.hpp"
#include "tests/support/fields.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"
#include "ffdp/transforms/apply.hpp"
#include "ffdp/transforms/invert.hpp"

namespace ffdp::transforms {
namespace {

const Affine turn{{{{0.9, -0.3, 0.1}, {0.25, 1.1, 0}, {0, 0.1, 0.95}}},
                  {4.0137, -3.0271, 2.0093}};  // no point falls on an edge

/// A grid with axes and spacing of its own.
Grid grid() {
  Grid g;
  g.size = {14, 16, 18};
  g.spacing = {1, 1.5, 2};
  g.origin = {-10, 5, 20};
  g.direction = {{{0, -1, 0}, {1, 0, 0}, {0, 0, 1}}};
  return g;
}

std::shared_ptr<const DisplacementImage> smooth_field(double amplitude) {
  return std::make_shared<const DisplacementImage>(DisplacementImage{
      grid(), test::make_vector_field(grid().domain(), [&](int c, int z, int y, int x) {
        return amplitude * (2 * test::smooth_noise(z, y, x, 6, static_cast<unsigned>(c)) - 1);
      })});
}

std::vector<Vec3> world_points(double margin) {
  std::vector<Vec3> points;
  for (int i = 0; i < 50; ++i) {
    Vec3 q;
    for (int a = 0; a < 3; ++a)
      q[a] = margin + (grid().size[a] - 1 - 2 * margin) * static_cast<double>(noise(i, a, 0, 1));
    points.push_back(grid().to_world()(q));
  }
  return points;
}

double distance(const std::vector<Vec3>& a, const std::vector<Vec3>& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::size_t c = 0; c < 3; ++c) most = std::max(most, std::abs(a[i][c] - b[i][c]));
  return most;
}

TEST(CompositeTransform, AdjacentAffinesCollapse) {
  CompositeTransform chain;
  EXPECT_TRUE(chain.is_identity());
  chain.append(turn);
  chain.append(Affine{Affine{}.linear, {1, 1, 1}});
  ASSERT_EQ(chain.steps().size(), 1U);
  const Vec3 p = turn({1, 2, 3}), q = (*chain.as_affine())({1, 2, 3});
  for (int c = 0; c < 3; ++c) EXPECT_DOUBLE_EQ(q[c], p[c] + 1);
  chain.append(smooth_field(1));
  chain.append(turn);
  EXPECT_EQ(chain.steps().size(), 3U);
  EXPECT_EQ(chain.as_affine(), nullptr);
}

TEST(CompositeTransform, AtVoxelsThePointMovesByTheStoredVectorThenTheAffine) {
  Context ctx = test::two_threads();
  const auto field = smooth_field(3);
  CompositeTransform chain;
  chain.append(field);
  chain.append(turn);
  std::vector<Vec3> points, want;
  test::for_each_voxel(grid().domain(), [&](int z, int y, int x) {
    Vec3 p = grid().to_world()({double(z), double(y), double(x)});
    points.push_back(p);
    for (int c = 0; c < 3; ++c) p[c] += static_cast<double>(field->data.view()[c](z, y, x));
    want.push_back(turn(p));
  });
  chain.map(ctx, points);
  EXPECT_LT(distance(points, want), 1e-6);
}

TEST(CompositeTransform, OutsideTheFieldNothingMoves) {
  Context ctx = test::two_threads();
  CompositeTransform chain;
  chain.append(smooth_field(3));
  const Vec3 far{1e4, 0, 0}, wild{std::nan(""), 0, 0};
  std::vector<Vec3> points{far, wild};
  chain.map(ctx, points);
  EXPECT_EQ(points[0], far);
  EXPECT_TRUE(std::isnan(points[1][0]));
}

TEST(CompositeTransform, TheInverseLeadsBack) {
  Context ctx = test::two_threads();
  CompositeTransform chain;
  chain.append(smooth_field(1.5));
  chain.append(turn);
  const auto invert = [](Context& c, const DisplacementImage& d) {
    return std::move(invert_displacement(c, 1e-3, d).image);
  };
  const CompositeTransform back = inverse(ctx, chain, invert);
  const auto start = world_points(4);
  std::vector<Vec3> points = start;
  chain.map(ctx, points);
  EXPECT_GT(distance(points, start), 1);
  back.map(ctx, points);
  // What is left is interpolation: the inverse is exact at voxels only.
  EXPECT_LT(distance(points, start), 0.15);
}

TEST(CompositeTransform, WhatHasNoInverseIsRefused) {
  Context ctx = test::two_threads();
  CompositeTransform flat, warped;
  flat.append(Affine{{{{1, 0, 0}, {0, 1, 0}, {1, 1, 0}}}, {}});
  warped.append(smooth_field(1));
  EXPECT_THROW(inverse(ctx, flat, {}), InvalidArgument);
  EXPECT_THROW(inverse(ctx, warped, {}), NotBuilt);
}

TEST(Apply, AnImageMovesByWholeVoxelsExactly) {
  Context ctx = test::two_threads();
  const Image<float> image{grid(), test::image(grid().domain(), 3)};
  // Two voxels along x: the world vector of that step.
  const Vec3 a = grid().to_world()({0, 0, 2}), b = grid().to_world()({0, 0, 0});
  CompositeTransform chain;
  chain.append(Affine{Affine{}.linear, {a[0] - b[0], a[1] - b[1], a[2] - b[2]}});
  for (Interpolation mode : {Interpolation::linear, Interpolation::nearest, Interpolation::bspline,
                             Interpolation::sinc}) {
    std::vector<double> got;
    apply<float>(ctx, {mode, -1}, grid(), chain, image,
                 [&](std::span<const double> v) { got.insert(got.end(), v.begin(), v.end()); });
    std::vector<double> want;
    test::for_each_voxel(grid().domain(), [&](int z, int y, int x) {
      want.push_back(x + 2 < grid().size[2] ? static_cast<double>(image.data.view()(z, y, x + 2))
                                            : -1);
    });
    const auto difference = test::compare(got, want);
    EXPECT_LT(difference.relative_max, 1e-6) << static_cast<int>(mode) << " " << difference;
  }
}

TEST(Apply, LabelsNeedAFillTheyCanHold) {
  Context ctx = test::two_threads();
  Image<std::uint8_t> labels{grid(), Field<std::uint8_t>(Backend::cpu, grid().domain())};
  std::fill(labels.data.begin(), labels.data.end(), std::uint8_t{7});
  const auto ignore = [](std::span<const std::uint8_t>) {};
  for (double fill : {-1.0, 0.5, 256.0})
    EXPECT_THROW(
        apply_label<std::uint8_t>(ctx, {Interpolation::label, fill}, grid(), {}, labels, ignore),
        InvalidArgument)
        << fill;
  EXPECT_THROW(apply<std::uint8_t>(ctx, {Interpolation::label, 0}, grid(), {}, labels, {}),
               InvalidArgument);
}

TEST(Compose, OneFieldMovesVoxelsAsTheChainDoes) {
  Context ctx = test::two_threads();
  CompositeTransform chain;
  chain.append(turn);
  chain.append(smooth_field(2));
  const auto total = std::make_shared<const DisplacementImage>(compose(ctx, grid(), chain));
  CompositeTransform single;
  single.append(total);
  std::vector<Vec3> a, b;
  test::for_each_voxel(grid().domain(), [&](int z, int y, int x) {
    a.push_back(grid().to_world()({double(z), double(y), double(x)}));
  });
  b = a;
  chain.map(ctx, a);
  single.map(ctx, b);
  EXPECT_LT(distance(a, b), 1e-5);
}

TEST(Compose, MarksAsLargeAsAFloatStayFinite) {
  Context ctx = test::two_threads();
  constexpr float mark = std::numeric_limits<float>::max();
  const auto field = std::make_shared<const DisplacementImage>(DisplacementImage{
      grid(), test::make_vector_field(grid().domain(), [](int, int, int, int) { return mark; })});
  CompositeTransform chain;
  chain.append(field);
  chain.append(Affine{{{{2, 0, 0}, {0, 2, 0}, {0, 0, 2}}}, {}});
  const DisplacementImage total = compose(ctx, grid(), chain);
  for (float v : total.data) ASSERT_TRUE(std::isfinite(v));
  const auto back = invert_displacement(ctx, 0.01, *field);
  for (float v : back.image.data) ASSERT_TRUE(std::isfinite(v));
}

TEST(InvertDisplacement, AShiftBecomesItsOppositeInAnyGrid) {
  Context ctx = test::two_threads();
  const DisplacementImage shift{
      grid(), test::make_vector_field(
                  grid().domain(), [](int c, int, int, int) { return c == 0 ? 2.5 : c - 3.25; })};
  const auto inverse = invert_displacement(ctx, 1e-4, shift);
  EXPECT_EQ(inverse.residual.unconverged, 0);
  for (int c = 0; c < 3; ++c)
    test::for_each_voxel(grid().domain(), [&](int z, int y, int x) {
      ASSERT_NEAR(inverse.image.data.view()[c](z, y, x), -shift.data.view()[c](z, y, x), 1e-3);
    });
}

}  // namespace
}  // namespace ffdp::transforms
