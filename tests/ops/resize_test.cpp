// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/resize/resize.hpp"

#include <cmath>
#include <vector>

#include "tests/support/compare.hpp"
#include "tests/support/context.hpp"
#include "tests/support/fields.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"
#include "ffdp/ops/resize/reference.hpp"

namespace ffdp::resize {
namespace {

struct Setting {
  Box from, to;
  double anti_alias;
};

class Shrink : public testing::TestWithParam<Setting> {
 protected:
  Box from = GetParam().from, to = GetParam().to;
  Params params{GetParam().anti_alias};
  Field<float> image = test::image(from, 1);

  Field<float> whole(const Field<float>& in) const {
    Context ctx = test::two_threads();
    Field<float> out(Backend::cpu, to);
    shrink(ctx, params, {from, to}, to, in, out);
    return out;
  }
};
INSTANTIATE_TEST_SUITE_P(Settings, Shrink,
                         testing::Values(Setting{box_of({12, 16, 20}), box_of({6, 8, 10}), 0.5},
                                         Setting{box_of({13, 17, 21}), box_of({4, 6, 21}), 0.5},
                                         Setting{box_of({1, 25, 31}), box_of({1, 9, 8}), 0.7},
                                         Setting{Box{{2, -3, 1}, {11, 9, 17}},
                                                 Box{{0, 4, 2}, {5, 10, 7}}, 0.5},
                                         Setting{box_of({7, 8, 9}), box_of({5, 6, 7}), 0},
                                         Setting{box_of({7, 8, 9}), box_of({1, 1, 1}), 0.5}));

TEST_P(Shrink, ValueMatchesReference) {
  std::vector<double> want;
  test::for_each_voxel(to, [&](int z, int y, int x) {
    want.push_back(
        reference::shrunk(params.anti_alias, from, to, image.view(), {}, {z, y, x}).value);
  });
  const auto difference = test::compare(test::values(whole(image).view(), to), want);
  // The op cuts its Gaussians at 3 sigma, the oracle does not.
  EXPECT_LT(difference.relative_l2, 2e-3) << difference;
  EXPECT_LT(std::abs(difference.bias), 1e-3) << difference;
}

TEST_P(Shrink, ShardedEqualsWholeAndReadsOnlyItsReach) {
  const Field<float> want = whole(image);
  for (const auto& boxes : test::splits(to)) {
    Context ctx = test::two_threads();
    Field<float> out(Backend::cpu, to);
    for (const Box& box : boxes) {
      Field<float> poisoned = test::image(from, 1);
      test::poison_outside(poisoned, shrink_reach(params, {from, to}, box));
      shrink(ctx, params, {from, to}, box, poisoned, out);
    }
    EXPECT_EQ(test::values(out.view(), to), test::values(want.view(), to));
  }
}

/// Half of the voxels, some of them alone.
Field<std::uint8_t> half_mask(const Box& box) {
  return test::make_field<std::uint8_t>(box, [](int z, int y, int x) {
    return test::smooth_noise(z, y, x, 3, 7) + 0.2 * static_cast<double>(noise(z, y, x, 8)) > 0.6;
  });
}

TEST_P(Shrink, MaskedMatchesReferenceWhateverTheMaskHides) {
  const Field<std::uint8_t> mask = half_mask(from);
  Context ctx = test::two_threads();
  Field<float> out(Backend::cpu, to), coverage(Backend::cpu, to);
  shrink_masked(ctx, params, {from, to}, to, image, mask, out, coverage);
  std::vector<double> values, shares;
  test::for_each_voxel(to, [&](int z, int y, int x) {
    const auto want =
        reference::shrunk(params.anti_alias, from, to, image.view(), mask.view(), {z, y, x});
    // Far from what counts the oracle sees what lies beyond 3 sigma.
    const bool seen = coverage.view()(z, y, x) > 0.02F;
    values.push_back(seen ? want.value : static_cast<double>(out.view()(z, y, x)));
    shares.push_back(want.coverage);
  });
  const auto difference = test::compare(test::values(out.view(), to), values);
  EXPECT_LT(difference.relative_l2, 4e-3) << difference;
  const auto difference_of_shares = test::compare(test::values(coverage.view(), to), shares);
  EXPECT_LT(difference_of_shares.relative_l2, 4e-3) << difference_of_shares;
  for (const float hidden : {test::nan, -3e38F}) {
    const auto other = test::make_field(from, [&](int z, int y, int x) {
      return mask.view()(z, y, x) ? image.view()(z, y, x) : hidden;
    });
    Field<float> again(Backend::cpu, to), share(Backend::cpu, to);
    shrink_masked(ctx, params, {from, to}, to, other, mask, again, share);
    EXPECT_EQ(test::values(again.view(), to), test::values(out.view(), to));
    EXPECT_EQ(test::values(share.view(), to), test::values(coverage.view(), to));
  }
}

TEST_P(Shrink, MaskedIsShrinkWhereEverythingCounts) {
  const auto all = test::make_field<std::uint8_t>(from, [](int, int, int) { return 1; });
  Context ctx = test::two_threads();
  Field<float> out(Backend::cpu, to), coverage(Backend::cpu, to);
  shrink_masked(ctx, params, {from, to}, to, image, all, out, coverage);
  EXPECT_LT(test::compare(test::values(out.view(), to), test::values(whole(image).view(), to))
                .relative_l2,
            1e-6);
}

TEST_P(Shrink, MaskedInPartsEqualsWhole) {
  const Field<std::uint8_t> mask = half_mask(from);
  Context ctx = test::two_threads();
  Field<float> want(Backend::cpu, to), coverage(Backend::cpu, to);
  shrink_masked(ctx, params, {from, to}, to, image, mask, want, coverage);
  for (const auto& boxes : test::splits(to)) {
    Field<float> out(Backend::cpu, to), share(Backend::cpu, to);
    for (const Box& box : boxes) {
      Field<float> poisoned = test::image(from, 1);
      test::poison_outside(poisoned, shrink_reach(params, {from, to}, box));
      shrink_masked(ctx, params, {from, to}, box, poisoned, mask, out, share);
    }
    EXPECT_EQ(test::values(out.view(), to), test::values(want.view(), to));
    EXPECT_EQ(test::values(share.view(), to), test::values(coverage.view(), to));
  }
}

TEST_P(Shrink, InvariantUnderConstants) {
  const Field<float> flat = test::make_field(from, [](int, int, int) { return 1000; });
  for (double v : test::values(whole(flat).view(), to))
    EXPECT_LT(test::relative_error(v, 1000), 5e-7);
}

TEST(Shrink, KeepsWhereThingsAre) {
  const Box from = box_of({1, 1, 60}), to = box_of({1, 1, 20});
  const auto ramp = test::make_field(from, [](int, int, int x) { return x; });
  Context ctx = test::two_threads();
  Field<float> out(Backend::cpu, to);
  shrink(ctx, {}, {from, to}, to, ramp, out);
  for (int x = 3; x < 17; ++x)
    EXPECT_LT(test::relative_error(static_cast<double>(out.view()(0, 0, x)), 3 * x + 1), 1e-6);
}

class ResizeDisplacement : public testing::TestWithParam<Setting> {
 protected:
  Box from = GetParam().from, to = GetParam().to;
  VectorField<float> u = test::displacement(from, from, 3, 1);

  VectorField<float> whole() const {
    Context ctx = test::two_threads();
    VectorField<float> out(Backend::cpu, to);
    displacement(ctx, {}, {from, to}, to, u, out);
    return out;
  }
};
INSTANTIATE_TEST_SUITE_P(Settings, ResizeDisplacement,
                         testing::Values(Setting{box_of({6, 8, 10}), box_of({12, 16, 20}), 0},
                                         Setting{box_of({5, 7, 11}), box_of({13, 17, 21}), 0},
                                         Setting{box_of({1, 9, 8}), box_of({1, 25, 31}), 0},
                                         Setting{Box{{2, -3, 1}, {6, 3, 9}},
                                                 Box{{0, 4, 2}, {9, 18, 17}}, 0},
                                         Setting{box_of({9, 9, 9}), box_of({4, 9, 5}), 0},
                                         Setting{box_of({1, 1, 2}), box_of({3, 4, 5}), 0}));

TEST_P(ResizeDisplacement, ValueMatchesReference) {
  const VectorField<float> out = whole();
  std::vector<double> want;
  for (int c = 0; c < 3; ++c)
    test::for_each_voxel(to, [&](int z, int y, int x) {
      want.push_back(reference::displacement(from, to, u.view(), {z, y, x})[c]);
    });
  const auto difference = test::compare(test::values(out.view(), to), want);
  EXPECT_LT(difference.relative_l2, 1e-6) << difference;
}

TEST_P(ResizeDisplacement, ShardedEqualsWholeAndReadsOnlyItsReach) {
  const VectorField<float> want = whole();
  for (const auto& boxes : test::splits(to)) {
    Context ctx = test::two_threads();
    VectorField<float> out(Backend::cpu, to);
    for (const Box& box : boxes) {
      VectorField<float> poisoned = test::displacement(from, from, 3, 1);
      test::poison_outside(poisoned, interpolate_reach({from, to}, box));
      displacement(ctx, {}, {from, to}, box, poisoned, out);
    }
    EXPECT_EQ(test::values(out.view(), to), test::values(want.view(), to));
  }
}

/// Whatever lies beside an axis of one voxel.
TEST(ResizeDisplacementOf, AnAxisOfOneVoxelReadsNothingBesideIt) {
  const Box domain = box_of({4, 5, 6});
  for (int a = 0; a < 3; ++a) {
    Box from = domain;
    from.lo[a] = 1;
    from.hi[a] = 2;
    VectorField<float> u = test::displacement(domain, domain, 3, 1);
    test::poison_outside(u, from);
    Context ctx = test::two_threads();
    VectorField<float> out(Backend::cpu, domain);
    displacement(ctx, {}, {from, domain}, domain, u, out);
    for (const float value : out) EXPECT_TRUE(std::isfinite(value));
  }
}

TEST(ResizeRejects, GrowingAnImageAndSmallViews) {
  const Box from = box_of({4, 8, 8}), to = box_of({2, 4, 4});
  const Field<float> image = test::image(from, 1), small = test::image(to, 1);
  Field<float> out(Backend::cpu, to), large(Backend::cpu, from);
  Context ctx = test::two_threads();
  EXPECT_THROW(shrink(ctx, {}, {to, from}, from, small, large), InvalidArgument);
  EXPECT_THROW(shrink(ctx, {}, {from, to}, to, small, out), InvalidArgument);
  EXPECT_THROW(shrink(ctx, {}, {from, to}, grow(to, 1), image, out), InvalidArgument);
  EXPECT_THROW(shrink(ctx, {-1}, {from, to}, to, image, out), InvalidArgument);
  const VectorField<float> u = test::displacement(from, to, 1, 1);
  VectorField<float> out_u(Backend::cpu, to);
  EXPECT_THROW(displacement(ctx, {}, {from, to}, to, u, out_u), InvalidArgument);
}

}  // namespace
}  // namespace ffdp::resize
