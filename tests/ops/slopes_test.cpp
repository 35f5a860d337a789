// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/slopes/slopes.hpp"

#include <vector>

#include "tests/support/compare.hpp"
#include "tests/support/context.hpp"
#include "tests/support/fields.hpp"
#include "tests/support/gradient.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"
#include "ffdp/ops/slopes/reference.hpp"

namespace ffdp::slopes {
namespace {

class Slopes : public testing::TestWithParam<Box> {
 protected:
  Box domain = GetParam();
  Field<float> warped = test::make_field(domain, [](int z, int y, int x) {
    return noise(z, y, x, 5) < 0.1F ? test::nan : noise(z, y, x, 3);
  });
  Field<float> grad_warped =
      test::make_field(domain, [](int z, int y, int x) { return noise(z, y, x, 8) - 0.5F; });
  Context ctx = test::two_threads();

  VectorField<float> gradient(const std::vector<Box>& boxes, Into into) {
    VectorField<float> grad =
        test::make_vector_field(domain, [](int, int, int, int) { return 0.25F; });
    for (const Box& box : boxes) backward(ctx, domain, box, warped, grad_warped, {grad, 2, into});
    return grad;
  }
};
INSTANTIATE_TEST_SUITE_P(Domains, Slopes,
                         testing::Values(Box{{-2, 1, 3}, {7, 12, 36}}, box_of({1, 9, 21}),
                                         box_of({5, 2, 1}), box_of({3, 4, 2})));

TEST_P(Slopes, MatchReference) {
  for (const Into into : {Into::overwrite, Into::add}) {
    const VectorField<float> grad = gradient({domain}, into);
    std::vector<double> got, want;
    test::for_each_voxel(domain, [&](int z, int y, int x) {
      const double factor = 2 * double(grad_warped.view()(z, y, x));
      for (int a = 0; a < 3; ++a) {
        got.push_back(double(grad.view()[a](z, y, x)) - (into == Into::add ? 0.25 : 0));
        want.push_back(factor * reference::slope(domain, warped, {z, y, x}, a));
      }
    });
    test::expect_gradient(got, want, 1e-6);
  }
}

/// Far from faces and missing voxels: the derivative of any quadratic.
TEST(SlopesOf, AQuadraticAreExact) {
  const Box domain = box_of({5, 6, 7});
  const Field<float> warped = test::make_field(domain, [](int z, int y, int x) {
    return static_cast<float>(z * z - 2 * y * y + 3 * x * x + z * y);
  });
  const Field<float> ones = test::make_field(domain, [](int, int, int) { return 1.0F; });
  VectorField<float> grad(Backend::cpu, domain);
  Context ctx;
  backward(ctx, domain, domain, warped, ones, {grad, 1, Into::overwrite});
  EXPECT_EQ(grad.view()[0](2, 3, 4), 2 * 2 + 3);
  EXPECT_EQ(grad.view()[1](2, 3, 4), -4 * 3 + 2);
  EXPECT_EQ(grad.view()[2](2, 3, 4), 6 * 4);
}

TEST_P(Slopes, ShardedEqualsWhole) {
  const auto whole = gradient({domain}, Into::overwrite);
  for (const auto& boxes : test::splits(domain)) {
    const auto parts = gradient(boxes, Into::overwrite);
    EXPECT_EQ(test::values(parts.view(), domain), test::values(whole.view(), domain));
  }
}

TEST_P(Slopes, ReadsOnlyItsHalo) {
  const Box compute = test::inner_part(domain);
  const auto want = gradient({compute}, Into::overwrite);
  const Box stored = intersect(grow(compute, halo), domain);
  test::for_each_voxel(domain, [&](int z, int y, int x) {
    if (!stored.contains(z, y, x)) warped.view()(z, y, x) = 1e30F;
    if (!compute.contains(z, y, x)) grad_warped.view()(z, y, x) = 1e30F;
  });
  const auto got = gradient({compute}, Into::overwrite);
  EXPECT_EQ(test::values(got.view(), domain), test::values(want.view(), domain));
}

TEST_P(Slopes, MissingVoxelsCarryNothingWhateverTheirCotangent) {
  test::for_each_voxel(domain, [&](int z, int y, int x) {
    const float w = warped.view()(z, y, x);
    if (w != w) grad_warped.view()(z, y, x) = test::nan;
  });
  const auto grad = gradient({domain}, Into::overwrite);
  for (const double value : test::values(grad.view(), domain)) EXPECT_EQ(value, value);
}

TEST_P(Slopes, DoNotChangeWithAConstant) {
  const auto want = gradient({domain}, Into::overwrite);
  for (float& value : warped) value = value + 4;
  const auto got = gradient({domain}, Into::overwrite);
  EXPECT_LT(test::compare(test::values(got.view(), domain), test::values(want.view(), domain))
                .relative_l2,
            1e-5);
}

TEST(SlopesReject, WhatIsNotStored) {
  const Box domain = box_of({4, 5, 6}), less = box_of({4, 5, 5}), inner = box_of({4, 5, 4});
  const Field<float> all = test::image(domain, 1), some = test::image(less, 1);
  VectorField<float> grad(Backend::cpu, domain);
  Context ctx;
  const auto run = [&](const Box& compute, const Field<float>& warped) {
    backward(ctx, domain, compute, warped, all, {grad, 1, Into::add});
  };
  EXPECT_NO_THROW(run(domain, all));
  EXPECT_NO_THROW(run(inner, some));
  EXPECT_THROW(run(less, some), InvalidArgument);
  EXPECT_THROW(run(domain, some), InvalidArgument);
}

}  // namespace
}  // namespace ffdp::slopes
