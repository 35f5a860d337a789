// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/compose/compose.hpp"

#include <vector>

#include "tests/support/compare.hpp"
#include "tests/support/context.hpp"
#include "tests/support/fields.hpp"
#include "tests/support/sparse.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"
#include "ffdp/ops/compose/reference.hpp"

namespace ffdp::compose {
namespace {

VectorField<float> whole(const Params& p, const Box& domain, const VectorField<float>& step,
                         const VectorField<float>& u) {
  Context ctx = test::two_threads();
  VectorField<float> out(Backend::cpu, domain);
  forward(ctx, p, domain, domain, step, u, out);
  return out;
}

class Compose : public testing::TestWithParam<Box> {
 protected:
  Box domain = GetParam();
  Params params{0.7F, 2.1};  // |k s| <= 0.7 * 3
  VectorField<float> step = test::displacement(domain, domain, 3, 1);
  VectorField<float> u = test::displacement(domain, domain, 5, 9);
};
INSTANTIATE_TEST_SUITE_P(Sizes, Compose,
                         testing::Values(Box{{0, 0, 0}, {9, 11, 23}}, Box{{-3, 5, 2}, {4, 12, 40}},
                                         Box{{0, 0, 0}, {1, 17, 33}}, Box{{0, 0, 0}, {2, 3, 5}}));

TEST_P(Compose, ValueMatchesReference) {
  const VectorField<float> out = whole(params, domain, step, u);
  std::vector<double> want;
  for (int c = 0; c < 3; ++c)
    test::for_each_voxel(domain, [&](int z, int y, int x) {
      want.push_back(reference::composed(static_cast<double>(params.scale), domain, step.view(),
                                         u.view(), {z, y, x})[c]);
    });
  const auto difference = test::compare(test::values(out.view(), domain), want);
  EXPECT_LT(difference.relative_l2, 1e-6) << difference;
}

TEST_P(Compose, ShardedEqualsWhole) {
  const VectorField<float> want = whole(params, domain, step, u);
  for (const auto& boxes : test::splits(domain)) {
    Context ctx = test::two_threads();
    VectorField<float> out(Backend::cpu, domain);
    for (const Box& box : boxes) {
      const VectorField<float> shard =
          test::make_vector_field(intersect(grow(box, halo(params)), domain),
                                  [&](int c, int z, int y, int x) { return u.view()[c](z, y, x); });
      forward(ctx, params, domain, box, step, shard, out);
    }
    EXPECT_EQ(test::values(out.view(), domain), test::values(want.view(), domain));
  }
}

TEST_P(Compose, ReadsOnlyItsHalo) {
  const Box compute = test::inner_part(domain);
  const VectorField<float> want = whole(params, domain, step, u);
  VectorField<float> poisoned_u =
      test::make_vector_field(grow(domain, 3), [&](int c, int z, int y, int x) {
        return domain.contains(z, y, x) ? u.view()[c](z, y, x) : 0.0F;
      });
  test::poison_outside(poisoned_u, intersect(grow(compute, halo(params)), domain));
  test::poison_outside(step, compute);
  Context ctx = test::two_threads();
  VectorField<float> out(Backend::cpu, compute);
  forward(ctx, params, domain, compute, step, poisoned_u, out);
  EXPECT_EQ(test::values(out.view(), compute), test::values(want.view(), compute));
}

TEST_P(Compose, OutMayBeTheStep) {
  const VectorField<float> want = whole(params, domain, step, u);
  Context ctx = test::two_threads();
  forward(ctx, params, domain, domain, step, u, step);
  EXPECT_EQ(test::values(step.view(), domain), test::values(want.view(), domain));
}

TEST_P(Compose, InvariantUnderTheIdentity) {
  const VectorField<float> zero =
      test::make_vector_field(domain, [](int, int, int, int) { return 0; });
  const auto kept = test::compare(whole(params, domain, zero, u), u);
  EXPECT_LT(kept.relative_max, 1e-6) << kept;
  params.scale = 1;
  params.max_step = 3;
  EXPECT_EQ(test::values(whole(params, domain, step, zero).view(), domain),
            test::values(step.view(), domain));
}

TEST(ComposeOf, TwoTranslationsIsTheirSum) {
  const Box domain = box_of({5, 6, 7});
  const auto a = test::make_vector_field(domain, [](int c, int, int, int) { return 0.25 * c; });
  const auto b = test::make_vector_field(domain, [](int c, int, int, int) { return 1.5 - c; });
  for (int c = 0; c < 3; ++c)
    for (double v : test::values(whole({1, 1}, domain, a, b).view()[c], domain))
      EXPECT_EQ(v, 0.25 * c + 1.5 - c);
}

/// Whatever lies beside an axis of one voxel.
TEST(ComposeOf, AnAxisOfOneVoxelReadsNothingBesideIt) {
  const Box all = box_of({4, 5, 6});
  for (int a = 0; a < 3; ++a) {
    Box domain = all;
    domain.lo[a] = 1;
    domain.hi[a] = 2;
    VectorField<float> u = test::displacement(all, all, 3, 1);
    const auto want = test::values(u.view(), domain);
    test::poison_outside(u, domain);
    const auto zero = test::make_vector_field(domain, [](int, int, int, int) { return 0; });
    const auto got = test::values(whole({1, 0}, domain, zero, u).view(), domain);
    EXPECT_LT(test::compare(got, want).relative_max, 1e-6);  // NaN does not pass
  }
}

/// Offsets beyond 2^31, in memory of which only the pages that are used exist.
TEST(ComposeOf, AFieldOfMoreThanTwoToThe31Voxels) {
  const Box domain = box_of({4, 2, 2});
  constexpr std::int64_t plane = std::int64_t{1} << 30;
  const test::SparseFloats memory(4 * plane);
  const VectorView<float> u{memory.data(), domain, 4, plane, 2};  // components side by side
  const VectorField<float> small = test::displacement(domain, domain, 1, 1);
  for (int c = 0; c < 3; ++c)
    test::for_each_voxel(domain,
                         [&](int z, int y, int x) { u[c](z, y, x) = small.view()[c](z, y, x); });
  const auto zero = test::make_vector_field(domain, [](int, int, int, int) { return 0; });
  Context ctx;
  VectorField<float> out(Backend::cpu, domain);
  forward(ctx, {1, 0}, domain, domain, zero, u, out);
  EXPECT_LT(test::compare(out, small).relative_max, 1e-6);
}

TEST(ComposeRejects, AViewWithoutHaloAndOverlap) {
  const Box domain = box_of({8, 8, 8}), compute{{2, 2, 2}, {6, 6, 6}};
  const VectorField<float> step = test::displacement(domain, domain, 1, 1);
  VectorField<float> u = test::displacement(domain, grow(compute, 1), 1, 2);
  VectorField<float> out(Backend::cpu, compute), full = test::displacement(domain, domain, 1, 2);
  Context ctx = test::two_threads();
  EXPECT_THROW(forward(ctx, {1, 1}, domain, compute, step, u, out), InvalidArgument);
  EXPECT_THROW(forward(ctx, {1, -1}, domain, compute, step, full, out), InvalidArgument);
  EXPECT_THROW(forward(ctx, {1, 1}, domain, domain, step, full, full), InvalidArgument);
  EXPECT_THROW(forward(ctx, {1, 1}, domain, domain, step, full, out), InvalidArgument);
}

}  // namespace
}  // namespace ffdp::compose
