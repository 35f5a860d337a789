// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/vectors/vectors.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "tests/support/compare.hpp"
#include "tests/support/fields.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"
#include "ffdp/ops/vectors/reference.hpp"

namespace ffdp::vectors {
namespace {

constexpr float no_limit = std::numeric_limits<float>::infinity();
constexpr Mat3 matrix{{{0.9, -1.2, 0.3}, {0.1, 2.5, -0.7}, {-0.4, 0.2, 1.1}}};

class Vectors : public testing::TestWithParam<Box> {
 protected:
  Box domain = GetParam(), inner = test::inner_part(domain);
  VectorField<float> u = make(1);
  Context ctx;
  void SetUp() override { ctx.threads = 2; }
  VectorField<float> make(std::uint32_t seed) const {
    return test::make_vector_field(domain, [&](int c, int z, int y, int x) {
      return 20 * noise(z, y, x, seed + static_cast<std::uint32_t>(c)) - 10;
    });
  }
};
INSTANTIATE_TEST_SUITE_P(Sizes, Vectors,
                         testing::Values(Box{{0, 0, 0}, {9, 11, 23}},
                                         Box{{0, -3, 2}, {1, 12, 40}}));

TEST_P(Vectors, TransformMatchesReferenceAlsoInPlace) {
  for (const float limit : {no_limit, 8.0F}) {
    std::vector<double> want;
    for (int c = 0; c < 3; ++c)
      test::for_each_voxel(inner, [&](int z, int y, int x) {
        want.push_back(reference::transformed(matrix, limit, u.view(), {z, y, x})[c]);
      });
    auto out = make(9), in_place = make(1);
    test::poison_outside(u, inner);
    transform(ctx, inner, matrix, limit, u, out);
    transform(ctx, inner, matrix, limit, in_place, in_place);
    const auto got = test::values(out.view(), inner);
    EXPECT_LT(test::compare(got, want).relative_max, 1e-7);
    EXPECT_EQ(test::values(in_place.view(), inner), got);
    for (const auto& boxes : test::splits(inner)) {
      auto parts = make(9);
      for (const Box& box : boxes) transform(ctx, box, matrix, limit, u, parts);
      EXPECT_EQ(test::values(parts.view(), domain), test::values(out.view(), domain));
    }
    u = make(1);
  }
}

TEST_P(Vectors, ComponentIsThatOfTheTransformedField) {
  auto out = make(9);
  transform(ctx, inner, matrix, no_limit, u, out);
  for (int c = 0; c < 3; ++c) {
    Field<float> one = test::make_field(domain, [](int, int, int) { return 7; });
    component(ctx, inner, matrix[c], u, one);
    test::for_each_voxel(domain, [&](int z, int y, int x) {
      EXPECT_EQ(one.view()(z, y, x), inner.contains(z, y, x) ? out.view()[c](z, y, x) : 7);
    });
  }
}

TEST_P(Vectors, AverageCopyAndZeroChangeTheBoxAndNothingElse) {
  const auto other = make(7);
  auto mean = make(1), copied = make(1), cleared = make(1);
  average(ctx, inner, mean, other);
  copy(ctx, inner, other, copied);
  zero(ctx, inner, cleared);
  for (int c = 0; c < 3; ++c)
    test::for_each_voxel(domain, [&](int z, int y, int x) {
      const float a = u.view()[c](z, y, x), b = other.view()[c](z, y, x);
      const bool inside = inner.contains(z, y, x);
      EXPECT_EQ(mean.view()[c](z, y, x), inside ? 0.5F * (a + b) : a);
      EXPECT_EQ(copied.view()[c](z, y, x), inside ? b : a);
      EXPECT_EQ(cleared.view()[c](z, y, x), inside ? 0 : a);
    });
}

TEST_P(Vectors, CopyAndZeroWriteThreeComponents) {
  const auto volume = static_cast<std::size_t>(domain.volume());
  std::vector<float> memory(4 * volume, 7);
  const std::vector<float> beyond(volume, 7);
  const auto three = dense_vectors(memory.data(), domain);
  copy(ctx, domain, u, three);
  EXPECT_TRUE(std::equal(beyond.begin(), beyond.end(), memory.begin() + 3 * domain.volume()));
  zero(ctx, domain, three);
  EXPECT_TRUE(std::equal(beyond.begin(), beyond.end(), memory.begin() + 3 * domain.volume()));
}

TEST_P(Vectors, LargestPassesOverNanAndWhatIsNotInTheBox) {
  u.view()[1](inner.lo[0], inner.lo[1], inner.lo[2]) = -17.5F;
  u.view()[2](inner.lo[0], inner.lo[1], inner.lo[2]) = test::nan;
  EXPECT_EQ(largest(ctx, inner, u), 17.5F);
  EXPECT_EQ(largest(ctx, domain, u), 17.5F);
  for (int c = 0; c < 3; ++c)
    test::for_each_voxel(domain, [&](int z, int y, int x) {
      if (!inner.contains(z, y, x)) u.view()[c](z, y, x) = 100;
    });
  EXPECT_EQ(largest(ctx, inner, u), 17.5F);
}

TEST_P(Vectors, ExtentIsThatOfEachComponent) {
  u = test::make_vector_field(domain, [&](int c, int z, int y, int x) {
    if (!inner.contains(z, y, x)) return x & 1 ? 1e6F : -1e6F;
    return 10 * static_cast<float>(c + 1) + noise(z, y, x, 5);  // no component reaches 0
  });
  u.view()[1](inner.lo[0], inner.lo[1], inner.lo[2]) = test::nan;
  Extent want{{test::nan, test::nan, test::nan}, {test::nan, test::nan, test::nan}};
  for (int c = 0; c < 3; ++c)
    test::for_each_voxel(inner, [&](int z, int y, int x) {
      want.lo[c] = std::fmin(want.lo[c], u.view()[c](z, y, x));
      want.hi[c] = std::fmax(want.hi[c], u.view()[c](z, y, x));
    });
  const Extent got = extent(ctx, inner, u);
  // Negative values meet the other end at which an extent begins.
  const auto below = test::make_vector_field(
      domain, [&](int c, int z, int y, int x) { return -u.view()[c](z, y, x); });
  const Extent mirrored = extent(ctx, inner, below);
  for (int c = 0; c < 3; ++c) {
    EXPECT_EQ(got.lo[c], want.lo[c]);
    EXPECT_EQ(got.hi[c], want.hi[c]);
    EXPECT_EQ(mirrored.lo[c], -want.hi[c]);
    EXPECT_EQ(mirrored.hi[c], -want.lo[c]);
  }
}

TEST_P(Vectors, SumOfSquaresMatchesReference) {
  double want = 0;
  for (int c = 0; c < 3; ++c)
    test::for_each_voxel(inner, [&](int z, int y, int x) {
      want += std::pow(static_cast<double>(u.view()[c](z, y, x)), 2);
    });
  test::poison_outside(u, inner);
  const VectorView<const float> view = u;
  EXPECT_LT(test::relative_error(sum_squares(ctx, inner, view).total(), want), 1e-6);
}

TEST(VectorsRejects, FieldsThatAreTooSmall) {
  Context ctx;
  const Box box = box_of({4, 5, 6}), large = box_of({4, 5, 7});
  VectorField<float> u = test::displacement(box, box, 1, 1), v(Backend::cpu, large);
  EXPECT_THROW(transform(ctx, large, matrix, no_limit, u, v), InvalidArgument);
  EXPECT_THROW(transform(ctx, box, matrix, -1, u, v), InvalidArgument);
  EXPECT_THROW(component(ctx, large, matrix[0], u, v.view()[0]), InvalidArgument);
  EXPECT_THROW(average(ctx, large, v, u), InvalidArgument);
  EXPECT_THROW(copy(ctx, large, v, u), InvalidArgument);
  EXPECT_THROW(largest(ctx, large, u), InvalidArgument);
}

}  // namespace
}  // namespace ffdp::vectors
