// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/invert/invert.hpp"

#include <cmath>
#include <vector>

#include "tests/support/compare.hpp"
#include "tests/support/fields.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"
#include "ffdp/ops/invert/math.hpp"
#include "ffdp/ops/invert/reference.hpp"

namespace ffdp::invert {
namespace {

struct Setting {
  Box domain;
  double amplitude;  ///< 1.2 voxels over nodes 6 apart: |grad u| up to 0.75
};

class Invert : public testing::TestWithParam<Setting> {
 protected:
  Box domain = GetParam().domain;
  Params params{.tolerance = 1e-3, .max_iterations = 100, .reach = GetParam().amplitude};
  VectorField<float> u = test::displacement(domain, domain, GetParam().amplitude, 1);

  Residual run(const Box& compute, const VectorField<float>& field, VectorField<float>& v) const {
    Context ctx;
    ctx.threads = 2;
    return forward(ctx, params, domain, compute, field, v).total();
  }
};
INSTANTIATE_TEST_SUITE_P(Settings, Invert,
                         testing::Values(Setting{Box{{0, 0, 0}, {9, 14, 23}}, 1.2},
                                         Setting{Box{{-3, 5, 2}, {9, 19, 16}}, 0.5},
                                         Setting{Box{{0, 0, 0}, {1, 21, 33}}, 1.4}));

TEST_P(Invert, ResidualOfReferenceIsBelowTheTolerance) {
  VectorField<float> v(Backend::cpu, domain);
  const Residual got = run(domain, u, v);
  double largest = 0, sum = 0;
  std::int64_t above = 0;
  test::for_each_voxel(domain, [&](int z, int y, int x) {
    const double r = reference::residual(domain, u.view(), v.view(), {z, y, x});
    largest = std::max(largest, r);
    sum += r;
    above += r > 1.1 * params.tolerance;
  });
  EXPECT_LE(above, got.unconverged);
  EXPECT_LT(static_cast<double>(got.unconverged), 0.001 * static_cast<double>(domain.volume()));
  EXPECT_LT(std::abs(got.max - largest), 1e-2 * params.tolerance + 1e-2 * largest);
  EXPECT_LT(test::relative_error(got.sum, sum), 1e-2);
  double longest = 0;
  for (float value : v) longest = std::max(longest, std::abs(static_cast<double>(value)));
  EXPECT_GT(longest, 0.3 * GetParam().amplitude) << "the zero field would pass";
}

TEST_P(Invert, ShardedEqualsWhole) {
  VectorField<float> want(Backend::cpu, domain);
  const Residual whole = run(domain, u, want);
  for (const auto& boxes : test::splits(domain)) {
    VectorField<float> v(Backend::cpu, domain);
    Residual sum;
    for (const Box& box : boxes) {
      const VectorField<float> shard =
          test::make_vector_field(intersect(grow(box, halo(params)), domain),
                                  [&](int c, int z, int y, int x) { return u.view()[c](z, y, x); });
      sum += run(box, shard, v);
    }
    EXPECT_EQ(test::values(v.view(), domain), test::values(want.view(), domain));
    EXPECT_EQ(sum.max, whole.max);
    EXPECT_EQ(sum.unconverged, whole.unconverged);
    EXPECT_LT(test::relative_error(sum.sum, whole.sum), 1e-12);
  }
}

TEST_P(Invert, ReadsOnlyItsHalo) {
  const Box compute = test::inner_part(domain);
  VectorField<float> want(Backend::cpu, domain), v(Backend::cpu, compute);
  run(domain, u, want);
  VectorField<float> poisoned =
      test::displacement(domain, grow(domain, 3), GetParam().amplitude, 1);
  test::poison_outside(poisoned, intersect(grow(compute, halo(params)), domain));
  run(compute, poisoned, v);
  EXPECT_EQ(test::values(v.view(), compute), test::values(want.view(), compute));
}

TEST_P(Invert, TheInverseOfTheInverseIsTheWarp) {
  VectorField<float> v(Backend::cpu, domain), back(Backend::cpu, domain);
  run(domain, u, v);
  run(domain, v, back);
  const Box inner = grow(domain, {domain.size(0) == 1 ? 0 : -3, -3, -3});
  const auto difference =
      test::compare(test::values(back.view(), inner), test::values(u.view(), inner));
  // v is trilinear between voxels, the true inverse is not.
  EXPECT_LT(difference.relative_l2, 0.1) << difference;
}

TEST(InvertOf, NothingAndATranslation) {
  const Box domain = box_of({8, 9, 10});
  Context ctx;
  for (double shift : {0.0, 1.25}) {
    const auto u = test::make_vector_field(domain, [&](int, int, int, int) { return shift; });
    VectorField<float> v(Backend::cpu, domain);
    const Residual r = forward(ctx, {.reach = 2}, domain, domain, u, v).total();
    EXPECT_EQ(r.unconverged, 0);
    for (double value : test::values(v.view(), domain)) EXPECT_LT(std::abs(value + shift), 1e-6);
  }
}

TEST(InvertOf, AFoldIsReported) {
  const Box domain = box_of({1, 12, 30});
  const auto u = test::make_vector_field(domain, [](int c, int, int, int x) {
    return c == 2 ? (x == 14 ? 6 : x == 15 ? -6 : 0) : 0;  // 14 and 15 swap sides, 13..16 is torn
  });
  Context ctx;
  VectorField<float> v(Backend::cpu, domain);
  const Residual r = forward(ctx, {.reach = 6}, domain, domain, u, v).total();
  for (float value : v) EXPECT_TRUE(std::isfinite(value));
  EXPECT_GE(r.max, 0);
}

/// Residuals of (I + jacobian) step = right side, of random systems.
TEST(InvertMath, ANewtonStepSolvesItsSystem) {
  for (int i = 0; i < 200; ++i) {
    float jacobian[3][3], right[3], step[3];
    for (int a = 0; a < 3; ++a) {
      right[a] = noise(i, a, 9, 3) - 0.5F;
      for (int b = 0; b < 3; ++b) jacobian[a][b] = 0.6F * (noise(i, a, b, 4) - 0.5F);
    }
    ASSERT_TRUE(newton_step(jacobian, right, step)) << i;
    for (int a = 0; a < 3; ++a) {
      double left = static_cast<double>(step[a]);
      for (int b = 0; b < 3; ++b) left += double{jacobian[a][b]} * double{step[b]};
      EXPECT_NEAR(left, double{right[a]}, 2e-6) << i << " row " << a;
    }
  }
}

TEST(InvertMath, ANewtonStepRefusesFoldsAndWhatIsNearlyOne) {
  const float right[3] = {1, 0, 0};
  float step[3];
  const auto made = [&](float determinant) {
    const float jacobian[3][3] = {{0, 0, 0}, {0, determinant - 1, 0}, {0, 0, 0}};
    return newton_step(jacobian, right, step);
  };
  EXPECT_TRUE(made(0.03F));
  EXPECT_FALSE(made(0.01F));
  EXPECT_FALSE(made(0));
  EXPECT_FALSE(made(-1));
  EXPECT_FALSE(made(test::nan));
}

TEST(InvertMath, ASampleHasTheValueAndTheSlopesOfTheInterpolant) {
  const Box domain{{-3, 5, 2}, {2, 9, 8}};
  const VectorField<float> u = test::displacement(domain, domain, 1.2, 1);
  const auto value = [&](int c, const Vec3& q) {
    return ffdp::reference::interpolate(domain, u.view()[c], q);
  };
  for (int i = 0; i < 300; ++i) {
    int at[3];
    float offset[3];
    Vec3 q;
    for (int a = 0; a < 3; ++a) {
      at[a] = domain.lo[a] + i * (a + 3) % domain.size(a);
      offset[a] = 3 * (noise(i, a, 0, 7) - 0.5F);
      q[a] = at[a] + double{offset[a]};
    }
    const Sample s = sample(u.view(), domain, at, offset);
    for (int c = 0; c < 3; ++c) {
      EXPECT_NEAR(double{s.u[c]}, value(c, q), 2e-6) << i;
      for (int a = 0; a < 3; ++a) {
        // The interpolant is linear along an axis within a cell, and constant beyond the edge.
        const double cell = std::floor(q[a]);
        const bool beyond = q[a] < domain.lo[a] || q[a] > domain.hi[a] - 1;
        Vec3 below = q, above = q;
        below[a] = cell + 0.25;
        above[a] = cell + 0.75;
        const double slope = beyond ? 0 : 2 * (value(c, above) - value(c, below));
        EXPECT_NEAR(double{s.jacobian[c][a]}, slope, 1e-5) << i << " axis " << a;
      }
    }
  }
}

TEST(InvertMath, ANeighbourhoodIsTheBoxAroundAVoxelWithinTheDomain) {
  const Box domain{{-3, 5, 2}, {2, 9, 8}};
  test::for_each_voxel(domain, [&](int z, int y, int x) {
    for (int around : {0, 1, 2, 9}) {
      const Box voxel{{z, y, x}, {z + 1, y + 1, x + 1}};
      EXPECT_EQ(neighbourhood(domain, {z, y, x}, around), intersect(grow(voxel, around), domain));
    }
  });
}

/// Newton's steps close in within few iterations; fixed-point steps alone would need many.
TEST(InvertMath, FewIterationsSolveASteepField) {
  const Box domain = box_of({12, 14, 23});
  const VectorField<float> u = test::displacement(domain, domain, 1.2, 1);
  VectorField<float> v(Backend::cpu, domain);
  Context ctx;
  const auto unconverged = [&](int iterations) {
    const Params params{.tolerance = 1e-3, .max_iterations = iterations, .reach = 1.2};
    return forward(ctx, params, domain, domain, u, v).total().unconverged;
  };
  EXPECT_GT(unconverged(4), 1000);
  EXPECT_LT(unconverged(8), 50);
  EXPECT_EQ(unconverged(12), 0);
}

TEST(InvertRejects, BadParametersAndViewsWithoutHalo) {
  const Box domain = box_of({16, 16, 16}), compute{{6, 6, 6}, {9, 9, 9}};
  const VectorField<float> u = test::displacement(domain, grow(compute, 2), 1, 1);
  VectorField<float> v(Backend::cpu, domain);
  Context ctx;
  EXPECT_THROW(forward(ctx, {.reach = 1}, domain, compute, u, v), InvalidArgument);
  EXPECT_NO_THROW(forward(ctx, {.reach = 0}, domain, compute, u, v));
  EXPECT_THROW(forward(ctx, {.tolerance = 0}, domain, compute, u, v), InvalidArgument);
  EXPECT_THROW(forward(ctx, {.max_iterations = 0}, domain, compute, u, v), InvalidArgument);
  EXPECT_THROW(forward(ctx, {.reach = -1}, domain, compute, u, v), InvalidArgument);
}

}  // namespace
}  // namespace ffdp::invert
