// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/jacobian/jacobian.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/support/compare.hpp"
#include "tests/support/fields.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/affine.hpp"
#include "ffdp/core/error.hpp"
#include "ffdp/ops/jacobian/reference.hpp"

namespace ffdp::jacobian {
namespace {

using test::compare;

Context context(int threads) {
  Context ctx;
  ctx.threads = threads;
  return ctx;
}

std::vector<double> want(const Box& domain, const VectorView<const float>& u) {
  std::vector<double> r;
  test::for_each_voxel(domain, [&](int z, int y, int x) {
    r.push_back(reference::determinant(domain, u, {z, y, x}));
  });
  return r;
}

std::vector<double> got(const Box& domain, const VectorView<const float>& u) {
  Context ctx = context(2);
  Field<float> out(Backend::cpu, domain);
  forward(ctx, domain, domain, u, out);
  return test::values(out.view(), domain);
}

class Jacobian : public testing::TestWithParam<Box> {};

TEST_P(Jacobian, ValueMatchesReference) {
  const Box domain = GetParam();
  const VectorField<float> u = test::displacement(domain, domain, 4, 1);
  const auto difference = compare(got(domain, u), want(domain, u));
  EXPECT_LT(difference.relative_l2, 1e-6) << difference;
  EXPECT_LT(difference.relative_max, 1e-5) << difference;
}

TEST_P(Jacobian, StatisticsMatchReference) {
  const Box domain = GetParam();
  const VectorField<float> u = test::displacement(domain, domain, 9, 2);
  const auto mask = test::make_field<std::uint8_t>(
      domain, [](int z, int y, int x) { return noise(z, y, x, 7) < 0.6F; });
  Statistics expected;
  double sum = 0, squares = 0, sizes = 0;
  test::for_each_voxel(domain, [&](int z, int y, int x) {
    if (mask.view()(z, y, x) == 0) return;
    const double d = reference::determinant(domain, u, {z, y, x});
    ++expected.count;
    expected.folded += d <= 0;
    sum += d > 0 ? std::log(d) : 0;
    squares += d > 0 ? std::log(d) * std::log(d) : 0;
    sizes += d > 0 ? std::abs(std::log(d)) : 0;
  });
  Context ctx = context(2);
  const Statistics s = statistics(ctx, domain, domain, u, mask).total();
  EXPECT_EQ(s.count, expected.count);
  EXPECT_EQ(s.folded, expected.folded);
  EXPECT_LT(test::relative_error(s.sum_log, sum), 1e-4);
  EXPECT_LT(test::relative_error(s.sum_log_squared, squares), 1e-4);
  EXPECT_LT(test::relative_error(s.sum_log_size, sizes), 1e-4);
  EXPECT_LT(test::relative_error(s.mean_change(), squares / sizes), 1e-4);
  const double n = static_cast<double>(expected.count - expected.folded);
  EXPECT_LT(test::relative_error(s.sd_log(), std::sqrt(squares / n - sum / n * sum / n)), 1e-4);
}

TEST_P(Jacobian, ShardedEqualsWhole) {
  const Box domain = GetParam();
  const VectorField<float> u = test::displacement(domain, domain, 4, 3);
  const std::vector<double> whole = got(domain, u);
  Context ctx = context(2);
  const Statistics all = statistics(ctx, domain, domain, u, {}).total();
  for (const auto& boxes : test::splits(domain)) {
    Field<float> out(Backend::cpu, domain);
    Statistics sum;
    for (const Box& box : boxes) {
      const Box stored = intersect(grow(box, halo()), domain);
      const VectorField<float> shard = test::make_vector_field(
          stored, [&](int c, int z, int y, int x) { return u.view()[c](z, y, x); });
      forward(ctx, domain, box, shard, out);
      sum += statistics(ctx, domain, box, shard, {}).total();
    }
    EXPECT_EQ(test::values(out.view(), domain), whole);
    EXPECT_EQ(sum.count, all.count);
    EXPECT_EQ(sum.folded, all.folded);
    EXPECT_EQ(sum.min, all.min);
    EXPECT_EQ(sum.max, all.max);
    EXPECT_LT(test::relative_error(sum.sum_log_squared, all.sum_log_squared), 1e-12);
    EXPECT_LT(test::relative_error(sum.sum_log_size, all.sum_log_size), 1e-12);
  }
}

/// In the order z, y, x; a determinant that is the limit is not below it, one that is NaN is.
TEST_P(Jacobian, VoxelsBelowAreThoseOfTheDeterminants) {
  const Box domain = GetParam();
  VectorField<float> u = test::displacement(domain, domain, 4, 3);
  u.view()[1](domain.lo[0], domain.lo[1], domain.lo[2]) = test::nan;
  const std::vector<double> determinants = got(domain, u);
  const double least = determinants[determinants.size() * 2 / 3];
  std::vector<Int3> want;
  std::size_t i = 0;
  test::for_each_voxel(domain, [&](int z, int y, int x) {
    if (!(determinants[i++] >= least)) want.push_back({z, y, x});
  });
  EXPECT_GT(want.size(), 5U);
  EXPECT_LT(want.size(), determinants.size() - 5);
  Context ctx = context(2);
  EXPECT_EQ(voxels_below(ctx, domain, domain, least, u), want);
  for (const auto& boxes : test::splits(domain)) {
    std::vector<Int3> found;
    for (const Box& box : boxes) {
      const auto part = voxels_below(ctx, domain, box, least, u);
      found.insert(found.end(), part.begin(), part.end());
    }
    std::sort(found.begin(), found.end());
    EXPECT_EQ(found, want);
  }
}

/// Columns of one voxel, at the faces and between them.
TEST_P(Jacobian, WritesOnlyItsBox) {
  const Box domain = GetParam();
  const VectorField<float> u = test::displacement(domain, domain, 4, 3);
  const std::vector<double> whole = got(domain, u);
  Context ctx = context(2);
  for (int at = domain.lo[2]; at < domain.hi[2]; ++at) {
    Box compute = domain;
    compute.lo[2] = at;
    compute.hi[2] = at + 1;
    Field<float> out = test::make_field(domain, [](int, int, int) { return 7; });
    forward(ctx, domain, compute, u, out);
    std::vector<double> want;
    test::for_each_voxel(domain, [&](int, int, int x) {
      const double value = whole[want.size()];
      want.push_back(x == at ? value : 7);
    });
    EXPECT_EQ(test::values(out.view(), domain), want);
  }
}

TEST_P(Jacobian, ReadsOnlyItsHalo) {
  const Box domain = GetParam();
  const Box compute = test::inner_part(domain);
  VectorField<float> u = test::displacement(domain, grow(domain, 2), 4, 3);
  Field<float> whole(Backend::cpu, domain);
  Context ctx = context(1);
  forward(ctx, domain, domain, u, whole);
  test::poison_outside(u, intersect(grow(compute, halo()), domain));
  Field<float> out(Backend::cpu, compute);
  forward(ctx, domain, compute, u, out);
  EXPECT_EQ(test::values(out.view(), compute), test::values(whole.view(), compute));
}

INSTANTIATE_TEST_SUITE_P(Sizes, Jacobian,
                         testing::Values(Box{{0, 0, 0}, {9, 11, 23}}, Box{{0, 0, 0}, {1, 17, 40}},
                                         Box{{-3, 5, 2}, {4, 6, 9}}, Box{{2, 0, 0}, {4, 7, 12}},
                                         Box{{20, 0, -4}, {25, 3, 2}}));

TEST(JacobianOf, TheIdentityIsOne) {
  const Box domain = box_of({5, 6, 7});
  const VectorField<float> u =
      test::make_vector_field(domain, [](int, int, int, int) { return 3; });
  for (double d : got(domain, u)) EXPECT_EQ(d, 1);
}

TEST(JacobianOf, ALinearMapIsItsDeterminantAlsoAtTheFaces) {
  const Box domain = box_of({6, 6, 6});
  const double a[3][3] = {{0.1, 0.2, 0.05}, {-0.15, 0.3, 0.02}, {0.25, -0.1, -0.2}};
  const VectorField<float> u = test::make_vector_field(
      domain, [&](int c, int z, int y, int x) { return a[c][0] * z + a[c][1] * y + a[c][2] * x; });
  const double expected =
      ffdp::determinant(Mat3{{{1.1, 0.2, 0.05}, {-0.15, 1.3, 0.02}, {0.25, -0.1, 0.8}}});
  for (double d : got(domain, u)) EXPECT_LT(test::relative_error(d, expected), 1e-5);
}

TEST(JacobianOf, AFoldIsCounted) {
  const Box domain = box_of({1, 8, 8});
  const VectorField<float> u = test::make_vector_field(
      domain, [](int c, int, int, int x) { return c == 2 && x == 4 ? -3 : 0; });
  Context ctx = context(1);
  const Statistics s = statistics(ctx, domain, domain, u, {}).total();
  EXPECT_EQ(s.count, 64);
  EXPECT_EQ(s.folded, 8);  // x = 3, where the map runs backwards
  EXPECT_EQ(s.min, -0.5);
}

TEST(JacobianOf, AMapOntoAPlaneIsAFold) {
  const Box domain = box_of({1, 8, 8});
  const VectorField<float> u = test::make_vector_field(
      domain, [](int c, int, int, int x) { return c == 2 && x == 4 ? -2 : 0; });
  Context ctx = context(1);
  const Statistics s = statistics(ctx, domain, domain, u, {}).total();
  EXPECT_EQ(s.folded, 8);
  EXPECT_EQ(s.min, 0);
  EXPECT_TRUE(std::isfinite(s.sum_log));
}

TEST(JacobianRejects, AViewWithoutHalo) {
  const Box domain = box_of({8, 8, 8}), compute{{2, 2, 2}, {6, 6, 6}};
  Context ctx = context(1);
  Field<float> out(Backend::cpu, compute);
  const VectorField<float> u = test::displacement(domain, compute, 1, 1);
  EXPECT_THROW(forward(ctx, domain, compute, u, out), InvalidArgument);
  EXPECT_THROW(statistics(ctx, domain, compute, u, {}), InvalidArgument);
}

TEST(JacobianRejects, ABoxOutsideTheDomainAndASmallOutput) {
  const Box domain = box_of({8, 8, 8});
  Context ctx = context(1);
  Field<float> out(Backend::cpu, box_of({8, 8, 7}));
  const VectorField<float> u = test::displacement(domain, domain, 1, 1);
  EXPECT_THROW(forward(ctx, domain, domain, u, out), InvalidArgument);
  EXPECT_THROW(forward(ctx, domain, grow(domain, 1), u, out), InvalidArgument);
  const Field<std::uint8_t> mask(Backend::cpu, box_of({8, 8, 7}));
  EXPECT_THROW(statistics(ctx, domain, domain, u, mask), InvalidArgument);
}

}  // namespace
}  // namespace ffdp::jacobian
