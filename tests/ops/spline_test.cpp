// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/spline/spline.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/support/compare.hpp"
#include "tests/support/context.hpp"
#include "tests/support/fields.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"
#include "ffdp/ops/spline/reference.hpp"

namespace ffdp::spline {
namespace {

struct Setting {
  Box domain;
  Vec3 knots;
};

class Spline : public testing::TestWithParam<Setting> {
 protected:
  Box domain = GetParam().domain;
  Params params{GetParam().knots};
  VectorField<float> field = test::make_vector_field(
      domain, [](int c, int z, int y, int x) { return 3 * noise(z, y, x, 11 + c) - 1; });

  VectorField<float> whole(const VectorField<float>& in) const {
    Context ctx = test::two_threads();
    VectorField<float> out(Backend::cpu, domain);
    forward(ctx, params, domain, domain, in, out);
    return out;
  }
};
INSTANTIATE_TEST_SUITE_P(Settings, Spline,
                         testing::Values(Setting{Box{{0, 0, 0}, {9, 11, 23}}, {3.25, 3.25, 3.25}},
                                         Setting{Box{{-3, 5, 2}, {14, 12, 21}}, {1, 1.7, 2.5}},
                                         Setting{Box{{0, 0, 0}, {1, 17, 33}}, {0, 4, 8}},
                                         Setting{Box{{0, 0, 0}, {7, 8, 9}}, {2, 0, 6}},
                                         Setting{Box{{0, 0, 0}, {3, 4, 5}},
                                                 {26, 26, 26}}));  // one element

TEST_P(Spline, ValueMatchesReference) {
  const VectorField<float> got = whole(field);
  for (int c = 0; c < 3; ++c) {
    std::vector<double> want, values;
    const View<const float> in = std::as_const(field).view()[c];
    test::for_each_voxel(domain, [&](int z, int y, int x) {
      if (noise(z, y, x, 3) > 0.1F) return;
      want.push_back(reference::smoothed(params.knots, domain, in, {z, y, x}));
      values.push_back(static_cast<double>(got.view()[c](z, y, x)));
    });
    const auto difference = test::compare(values, want);
    EXPECT_LT(difference.relative_max, 1e-6) << difference;
  }
}

TEST_P(Spline, ShardedEqualsWholeBitForBit) {
  const VectorField<float> want = whole(field);
  Context ctx = test::two_threads();
  for (const auto& boxes : test::splits(domain)) {
    VectorField<float> out(Backend::cpu, domain);
    for (const Box& box : boxes) {
      const Box stored = intersect(grow(box, halo(params)), domain);
      const VectorField<float> shard = test::make_vector_field(
          stored, [&](int c, int z, int y, int x) { return field.view()[c](z, y, x); });
      forward(ctx, params, domain, box, shard, out);
    }
    for (int c = 0; c < 3; ++c)
      EXPECT_EQ(test::values(out.view()[c], domain), test::values(want.view()[c], domain));
  }
}

TEST_P(Spline, ReadsOnlyItsHalo) {
  const Box compute = test::inner_part(domain);
  const Box needed = intersect(grow(compute, halo(params)), domain);
  const VectorField<float> poisoned =
      test::make_vector_field(domain, [&](int c, int z, int y, int x) {
        return needed.contains(z, y, x) ? field.view()[c](z, y, x) : test::nan;
      });
  Context ctx = test::two_threads();
  VectorField<float> out(Backend::cpu, compute);
  forward(ctx, params, domain, compute, poisoned, out);
  const VectorField<float> want = whole(field);
  for (int c = 0; c < 3; ++c)
    EXPECT_EQ(test::values(out.view()[c], compute), test::values(want.view()[c], compute));
}

TEST_P(Spline, KeepsConstantsAndTheRangeAndSmooths) {
  const auto flat = test::make_vector_field(domain, [](int, int, int, int) { return 1000; });
  for (double v : test::values(whole(flat).view()[1], domain))
    EXPECT_LT(test::relative_error(v, 1000), 1e-6);
  const VectorField<float> got = whole(field);
  const auto before = test::values(field.view()[0], domain),
             after = test::values(got.view()[0], domain);
  const auto [low, high] = std::ranges::minmax(before);
  const auto [lower, higher] = std::ranges::minmax(after);
  EXPECT_GE(lower, low);
  EXPECT_LE(higher, high);
  EXPECT_LT(higher - lower, 0.8 * (high - low));
}

/// A cubic B-spline of the same knots comes back nearly as it was; finer structure goes.
TEST(SplineFields, CoarseWavesStayAndFineOnesGo) {
  const Box domain = box_of({1, 8, 160});
  const Params params{{0, 0, 4}};
  const auto amplitude = [&](double length) {
    const auto wave = test::make_vector_field(
        domain, [&](int, int, int, int x) { return std::sin(2 * 3.14159265 * x / length); });
    Context ctx = test::two_threads();
    VectorField<float> out(Backend::cpu, domain);
    forward(ctx, params, domain, domain, wave, out);
    const auto values = test::values(out.view()[0], Box{{0, 4, 40}, {1, 5, 120}});
    return *std::ranges::max_element(values);
  };
  EXPECT_GT(amplitude(64), 0.9);
  EXPECT_LT(amplitude(6), 0.2);
  EXPECT_LT(amplitude(3), 0.1);
}

TEST(SplineRejects, AViewWithoutHaloAndKnotsThatAreTooClose) {
  const Box domain = box_of({16, 16, 16}), compute{{5, 5, 5}, {8, 8, 8}};
  const auto make = [](const Box& box) { return test::displacement(box, box, 1, 2); };
  const VectorField<float> part = make(grow(compute, 2)), full = make(domain);
  VectorField<float> out(Backend::cpu, compute), same = make(domain);
  Context ctx = test::two_threads();
  EXPECT_THROW(forward(ctx, {{2, 2, 2}}, domain, compute, part, out), InvalidArgument);
  EXPECT_THROW(forward(ctx, {{2, 2, 2}}, domain, domain, full, out), InvalidArgument);
  EXPECT_THROW(forward(ctx, {{2, 2, 2}}, domain, domain, same, same), InvalidArgument);
  for (const double knots : {-1.0, 0.5, 1000.0})
    EXPECT_THROW(forward(ctx, {{2, knots, 2}}, domain, compute, full, out), InvalidArgument);
}

}  // namespace
}  // namespace ffdp::spline
