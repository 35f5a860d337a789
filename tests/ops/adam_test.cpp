// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/adam/adam.hpp"

#include <cmath>
#include <vector>

#include "tests/support/compare.hpp"
#include "tests/support/context.hpp"
#include "tests/support/fields.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"
#include "ffdp/ops/adam/reference.hpp"

namespace ffdp::adam {
namespace {

constexpr Box domain{{-2, 0, 3}, {5, 9, 24}};
constexpr int steps = 4;

VectorField<float> gradient(int iteration, double scale) {
  return test::make_vector_field(domain, [&](int c, int z, int y, int x) {
    return scale * (static_cast<double>(noise(z, y, x, 100U * iteration + c)) - 0.4);
  });
}

VectorField<float> filled(float value) {
  return test::make_vector_field(domain, [&](int, int, int, int) { return value; });
}

/// The direction after `steps` iterations over the given boxes, and the largest length.
struct Result {
  VectorField<float> direction;
  double longest = 0;
};
Result run(Params p, const std::vector<Box>& boxes, double scale, float initial_moments) {
  Context ctx = test::two_threads();
  VectorField<float> first = filled(initial_moments), second = filled(initial_moments);
  Result result;
  for (int k = 1; k <= steps; ++k) {
    p.iteration = k;
    result.direction = gradient(k, scale);
    result.longest = 0;
    for (const Box& box : boxes)
      result.longest =
          std::max(result.longest, step(ctx, p, domain, box, result.direction, first, second));
  }
  return result;
}

class Adam : public testing::TestWithParam<SecondMoment> {
 protected:
  Params params{.epsilon = 0.01, .second_moment = GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Moments, Adam,
                         testing::Values(SecondMoment::vector, SecondMoment::element,
                                         SecondMoment::none));

TEST_P(Adam, ValueMatchesReference) {
  const Result got = run(params, {domain}, 1, 0);
  std::vector<VectorField<float>> history;
  for (int k = 1; k <= steps; ++k) history.push_back(gradient(k, 1));
  std::vector<double> direction, want;
  double longest = 0;
  test::for_each_voxel(domain, [&](int z, int y, int x) {
    std::vector<Vec3> g;
    for (const auto& field : history) {
      g.emplace_back();
      for (int c = 0; c < 3; ++c) g.back()[c] = static_cast<double>(field.view()[c](z, y, x));
    }
    const Vec3 d = reference::direction(params, g);
    longest = std::max(longest, std::hypot(d[0], d[1], d[2]));
    for (int c = 0; c < 3; ++c) {
      want.push_back(d[c]);
      direction.push_back(static_cast<double>(got.direction.view()[c](z, y, x)));
    }
  });
  const auto difference = test::compare(direction, want);
  EXPECT_LT(difference.relative_l2, 1e-6) << difference;
  EXPECT_LT(test::relative_error(got.longest, longest), 1e-6);
}

TEST_P(Adam, TheFirstIterationIgnoresTheMoments) {
  const Result clean = run(params, {domain}, 1, 0), dirty = run(params, {domain}, 1, test::nan);
  EXPECT_EQ(test::values(clean.direction.view(), domain),
            test::values(dirty.direction.view(), domain));
}

TEST_P(Adam, ShardedEqualsWhole) {
  const Result whole = run(params, {domain}, 1, 0);
  for (const auto& boxes : test::splits(domain)) {
    const Result sharded = run(params, boxes, 1, 0);
    EXPECT_EQ(test::values(sharded.direction.view(), domain),
              test::values(whole.direction.view(), domain));
    EXPECT_EQ(sharded.longest, whole.longest);
  }
}

TEST_P(Adam, ReadsOnlyItsHalo) {
  const Box compute = test::inner_part(domain);
  Context ctx = test::two_threads();
  VectorField<float> grad = gradient(1, 1), first = filled(test::nan), second = filled(test::nan);
  test::poison_outside(grad, compute);
  EXPECT_TRUE(std::isfinite(step(ctx, params, domain, compute, grad, first, second)));
  for (const auto* field : {&grad, &first})
    for (double v : test::values(field->view(), compute)) EXPECT_TRUE(std::isfinite(v));
  EXPECT_TRUE(std::isnan(first.view()[0](domain.lo[0], domain.lo[1], domain.lo[2])));
}

TEST_P(Adam, InvariantUnderScaleOfTheGradient) {
  if (params.second_moment == SecondMoment::none) return;  // it is not
  const Result want = run(params, {domain}, 1, 0);
  params.epsilon *= 1e4;
  const auto difference = test::compare(run(params, {domain}, 1e4, 0).direction, want.direction);
  EXPECT_LT(difference.relative_l2, 1e-6) << difference;
}

TEST(AdamOfVectors, TurnsWithTheFrame) {
  const Params p{.epsilon = 0.01};
  Context ctx = test::two_threads();
  const auto turned = [](const VectorField<float>& from) {  // by 30 degrees in the z-y plane
    return test::make_vector_field(domain, [&](int c, int z, int y, int x) {
      const double a = static_cast<double>(from.view()[0](z, y, x)),
                   b = static_cast<double>(from.view()[1](z, y, x));
      const double s = 0.5, co = std::sqrt(0.75);
      return c == 0   ? co * a - s * b
             : c == 1 ? s * a + co * b
                      : static_cast<double>(from.view()[2](z, y, x));
    });
  };
  VectorField<float> grad = gradient(1, 1), other = turned(grad);
  VectorField<float> first = filled(0), second = filled(0);
  step(ctx, p, domain, domain, grad, first, second);
  step(ctx, p, domain, domain, other, first, second);
  const auto difference = test::compare(other, turned(grad));
  EXPECT_LT(difference.relative_l2, 1e-6) << difference;
}

TEST(AdamRejects, BadParametersAndSmallViews) {
  Context ctx = test::two_threads();
  VectorField<float> g = gradient(1, 1), m = filled(0), v = filled(0);
  VectorField<float> small(Backend::cpu, test::inner_part(domain));
  EXPECT_THROW(step(ctx, {.beta1 = 1}, domain, domain, g, m, v), InvalidArgument);
  EXPECT_THROW(step(ctx, {.beta2 = -0.1}, domain, domain, g, m, v), InvalidArgument);
  EXPECT_THROW(step(ctx, {.epsilon = -1}, domain, domain, g, m, v), InvalidArgument);
  EXPECT_THROW(step(ctx, {.iteration = 0}, domain, domain, g, m, v), InvalidArgument);
  EXPECT_THROW(step(ctx, {}, domain, domain, small, m, v), InvalidArgument);
  EXPECT_THROW(step(ctx, {}, domain, domain, g, small, v), InvalidArgument);
}

}  // namespace
}  // namespace ffdp::adam
