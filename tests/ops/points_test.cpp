// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/points/points.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/support/compare.hpp"
#include "tests/support/fields.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"
#include "ffdp/ops/points/reference.hpp"

namespace ffdp::points {
namespace {

using test::compare;

Context context() {
  Context ctx;
  ctx.threads = 3;
  return ctx;
}

/// Points in and around the domain: random ones, voxel centres, faces, just in and out.
std::vector<Vec3> probes(const Box& domain) {
  std::vector<Vec3> points;
  for (int i = 0; i < 400; ++i) {
    Vec3 q;
    for (int a = 0; a < 3; ++a)
      q[a] = domain.lo[a] - 1.0 + (domain.size(a) + 1.0) * static_cast<double>(noise(i, a, 0, 5));
    points.push_back(q);
  }
  for (int a = 0; a < 3; ++a)
    for (double at : {-0.5, -0.5000001, -0.2, 0.0, domain.size(a) - 1.0, domain.size(a) - 0.7,
                      domain.size(a) - 0.5, domain.size(a) - 0.5000001}) {
      Vec3 q{0.5 * (domain.lo[0] + domain.hi[0] - 1), 0.5 * (domain.lo[1] + domain.hi[1] - 1),
             0.5 * (domain.lo[2] + domain.hi[2] - 1)};
      q[a] = domain.lo[a] + at;
      points.push_back(q);
    }
  return points;
}

std::vector<double> got(const Params& params, const Box& domain, View<const float> image,
                        const std::vector<Vec3>& points) {
  Context ctx = context();
  std::vector<double> out(points.size());
  sample<float>(ctx, params, domain, image, points, out);
  return out;
}

int clamped(int i, int lo, int hi) { return std::clamp(i, lo, hi - 1); }

/// What the oracle says, with voxels beyond the edge equal to those at the edge.
std::vector<double> want(const Box& domain, const Field<float>& image, double fill,
                         const std::vector<Vec3>& points, int pad, const reference::Kernel& kernel,
                         bool normalise) {
  const reference::Voxel voxel = [&](int z, int y, int x) {
    return static_cast<double>(image.view()(clamped(z, domain.lo[0], domain.hi[0]),
                                            clamped(y, domain.lo[1], domain.hi[1]),
                                            clamped(x, domain.lo[2], domain.hi[2])));
  };
  std::vector<double> r;
  for (const Vec3& q : points) {
    if (!reference::is_inside(domain, q)) {
      r.push_back(fill);
      continue;
    }
    const double weight =
        normalise ? reference::value(domain, q, pad, kernel, [](int, int, int) { return 1.0; }) : 1;
    r.push_back(reference::value(domain, q, pad, kernel, voxel) / weight);
  }
  return r;
}

class Points : public testing::TestWithParam<Box> {};

TEST_P(Points, LinearValueMatchesReference) {
  const Box domain = GetParam();
  const Field<float> image = test::image(domain, 1);
  const auto points = probes(domain);
  const auto difference = compare(got({Mode::linear, -3}, domain, image.view(), points),
                                  want(domain, image, -3, points, 1, reference::tent, false));
  EXPECT_LT(difference.relative_l2, 1e-12) << difference;
}

TEST_P(Points, SincValueMatchesReference) {
  const Box domain = GetParam();
  const Field<float> image = test::image(domain, 2);
  const auto points = probes(domain);
  const auto difference =
      compare(got({Mode::sinc, 7}, domain, image.view(), points),
              want(domain, image, 7, points, 4, reference::hamming_sinc4, true));
  EXPECT_LT(difference.relative_l2, 1e-12) << difference;
}

TEST_P(Points, BsplineInterpolatesVoxelsAndMatchesReference) {
  const Box domain = GetParam();
  const Field<float> image = test::image(domain, 3);
  Field<double> coefficients(Backend::cpu, domain);
  std::copy(image.begin(), image.end(), coefficients.begin());
  Context ctx = context();
  bspline_coefficients(ctx, coefficients.view());
  std::vector<Vec3> centres;
  test::for_each_voxel(
      domain, [&](int z, int y, int x) { centres.push_back({double(z), double(y), double(x)}); });
  std::vector<double> at_centres(centres.size());
  sample<double>(ctx, {Mode::bspline, 0}, domain, std::as_const(coefficients).view(), centres,
                 at_centres);
  EXPECT_LT(compare(at_centres, image).relative_max, 1e-6);

  const auto mirrored = [&](int i, int lo, int hi) {
    const int n = hi - lo;
    if (n == 1) return lo;
    int k = std::abs(i - lo);
    while (k > n - 1) k = std::abs(2 * (n - 1) - k);
    return lo + k;
  };
  const auto points = probes(domain);
  std::vector<double> expected;
  for (const Vec3& q : points)
    expected.push_back(
        !reference::is_inside(domain, q)
            ? 5
            : reference::value(domain, q, 3, reference::cubic_bspline, [&](int z, int y, int x) {
                return std::as_const(coefficients)
                    .view()(mirrored(z, domain.lo[0], domain.hi[0]),
                            mirrored(y, domain.lo[1], domain.hi[1]),
                            mirrored(x, domain.lo[2], domain.hi[2]));
              }));
  std::vector<double> out(points.size());
  sample<double>(ctx, {Mode::bspline, 5}, domain, std::as_const(coefficients).view(), points, out);
  EXPECT_LT(compare(out, expected).relative_l2, 1e-11);
}

TEST_P(Points, LabelsMatchReferenceAndKeepTheirBits) {
  const Box domain = GetParam();
  // Neighbouring 64-bit ids that no double can tell apart.
  const auto label_at = [](int z, int y, int x) {
    return std::int64_t{9007199254740993} + static_cast<std::int64_t>(4 * noise(z, y, x, 9));
  };
  Field<std::int64_t> image(Backend::cpu, domain);
  const View<std::int64_t> view = image.view();
  test::for_each_voxel(domain, [&](int z, int y, int x) { view(z, y, x) = label_at(z, y, x); });
  const auto edge = [&](int z, int y, int x) {
    return label_at(clamped(z, domain.lo[0], domain.hi[0]), clamped(y, domain.lo[1], domain.hi[1]),
                    clamped(x, domain.lo[2], domain.hi[2]));
  };
  const auto points = probes(domain);
  std::vector<std::int64_t> nearest(points.size()), vote(points.size());
  Context ctx = context();
  nearest_label<std::int64_t>(ctx, domain, std::as_const(image).view(), -1, points, nearest);
  vote_label<std::int64_t>(ctx, domain, std::as_const(image).view(), -1, points, vote);
  for (std::size_t i = 0; i < points.size(); ++i) {
    const Vec3& q = points[i];
    const bool in = reference::is_inside(domain, q);
    ASSERT_EQ(vote[i], in ? reference::vote(domain, q, edge) : -1) << i;
    ASSERT_EQ(
        nearest[i],
        in ? edge(int(std::lround(q[0])), int(std::lround(q[1])), int(std::lround(q[2]))) : -1)
        << i;
  }
}

TEST_P(Points, VectorsAreLinearSamplesAndZeroOutside) {
  const Box domain = GetParam();
  const VectorField<float> field = test::make_vector_field(
      domain, [](int c, int z, int y, int x) { return 1 + c + noise(z, y, x, 11 + c); });
  const auto points = probes(domain);
  std::vector<Vec3> vectors(points.size());
  Context ctx = context();
  sample_vectors(ctx, domain, field.view(), points, vectors);
  for (int c = 0; c < 3; ++c) {
    std::vector<double> component;
    for (const Vec3& v : vectors) component.push_back(v[c]);
    EXPECT_LT(
        compare(component, got({Mode::linear, 0}, domain, field.view()[c], points)).relative_max,
        1e-14);
  }
}

TEST_P(Points, ShardedEqualsWholeAndReadsOnlyItsReach) {
  const Box domain = GetParam();
  const Field<float> whole = test::image(domain, 4);
  const auto points = probes(domain);
  for (Mode mode : {Mode::linear, Mode::nearest, Mode::bspline, Mode::sinc}) {
    const Params params{mode, 0.25};
    const auto all = got(params, domain, whole.view(), points);
    for (std::size_t begin = 0; begin < points.size(); begin += 7) {
      const std::vector<Vec3> some(
          points.begin() + static_cast<long>(begin),
          points.begin() + static_cast<long>(std::min(begin + 7, points.size())));
      const Box needed = reach(params, domain, some);
      Field<float> part = test::image(domain, 4);
      test::poison_outside(part, needed);
      const auto few = got(params, domain, part.view(), some);
      for (std::size_t i = 0; i < few.size(); ++i) ASSERT_EQ(few[i], all[begin + i]);
      // Stored over what is needed alone, not over the domain.
      if (needed.empty()) continue;
      const auto stored =
          test::make_field(needed, [&](int z, int y, int x) { return whole.view()(z, y, x); });
      const auto least = got(params, domain, stored.view(), some);
      for (std::size_t i = 0; i < least.size(); ++i) ASSERT_EQ(least[i], all[begin + i]);
    }
  }
}

TEST_P(Points, InvariantUnderShiftAndScaleOfIntensity) {
  const Box domain = GetParam();
  const auto points = probes(domain);
  const Field<float> image = test::make_field(
      domain, [](int z, int y, int x) { return std::floor(1000 * noise(z, y, x, 6)); });
  const Field<float> shifted = test::make_field(
      domain, [&](int z, int y, int x) { return 8 * image.view()(z, y, x) + 65536; });
  for (Mode mode : {Mode::linear, Mode::sinc}) {
    auto from_plain = got({mode, 0}, domain, image.view(), points);
    for (double& v : from_plain) v = 8 * v + 65536;
    EXPECT_LT(compare(got({mode, 65536}, domain, shifted.view(), points), from_plain).relative_max,
              1e-13);
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, Points,
                         testing::Values(Box{{0, 0, 0}, {5, 6, 7}}, Box{{0, 0, 0}, {1, 9, 4}},
                                         Box{{-3, 10, 2}, {4, 12, 3}}, Box{{4, -2, 1}, {11, 3, 5}},
                                         Box{{0, 0, 0}, {2, 2, 2}}, Box{{0, 0, 0}, {1, 1, 1}}));

TEST(PointsRules, NotANumberIsOutside) {
  const Box domain = box_of({3, 3, 3});
  const Field<float> image = test::image(domain, 1);
  const double nan = std::nan(""), infinite = HUGE_VAL;
  const std::vector<Vec3> points{{nan, 1, 1}, {1, infinite, 1}, {1, 1, -infinite}};
  for (double value : got({Mode::linear, -9}, domain, image.view(), points)) EXPECT_EQ(value, -9);
}

TEST(PointsRules, ANaNVoxelDoesNotReachPointsOnOtherVoxels) {
  const Box domain = box_of({3, 3, 3});
  Field<float> image = test::image(domain, 1);
  const float kept = image.view()(1, 1, 0);
  image.view()(1, 1, 1) = test::nan;
  EXPECT_EQ(got({Mode::linear, 0}, domain, image.view(), {{1, 1, 0}})[0], kept);
}

TEST(PointsRules, RejectsAnImageStoredOverTooLittle) {
  const Box domain = box_of({8, 8, 8});
  const Field<float> part = test::image({{0, 0, 0}, {4, 8, 8}}, 1);
  const std::vector<Vec3> points{{3.5, 2, 2}};
  EXPECT_THROW(got({Mode::linear, 0}, domain, part.view(), points), InvalidArgument);
  EXPECT_NO_THROW(got({Mode::linear, 0}, domain, part.view(), {{3, 2, 2}}));
}

TEST(PointsRules, RejectsTooFewResults) {
  const Box domain = box_of({2, 2, 2});
  const Field<float> image = test::image(domain, 1);
  Context ctx = context();
  const std::vector<Vec3> points(3);
  std::vector<double> out(2);
  EXPECT_THROW(sample<float>(ctx, {}, domain, image.view(), points, out), InvalidArgument);
  EXPECT_THROW(sample<float>(ctx, {}, Box{}, image.view(), {}, {}), InvalidArgument);
}

}  // namespace
}  // namespace ffdp::points
