// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/descent/descent.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <vector>

#include "tests/support/compare.hpp"
#include "tests/support/context.hpp"
#include "tests/support/fields.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"
#include "ffdp/ops/descent/math.hpp"
#include "ffdp/ops/descent/reference.hpp"

namespace ffdp::descent {
namespace {

constexpr int iterations = 3;

struct Setting {
  Box domain;
  SecondMoment second_moment;
};

/// Moments, sums and the new displacement after `iterations` updates over the given boxes.
struct Outcome {
  VectorField<float> first, second, out;
  Sums sums, again;
  /// Components that the kind of second moment does not have lie beyond all memory.
  Moments<float> moments(SecondMoment kind) {
    VectorView<float> stored = second;
    if (kind == SecondMoment::none) stored = {};
    if (kind == SecondMoment::vector) stored.stride_c = std::int64_t{1} << 44;
    return {first.view(), stored};
  }
};

class Descent : public testing::TestWithParam<Setting> {
 protected:
  Box domain = GetParam().domain;
  Params adam{.epsilon = 0.01, .second_moment = GetParam().second_moment};
  smooth::Params smoothing{domain.size(0) == 1 ? Vec3{0, 0.8, 1} : Vec3{0.8, 0.5, 1}};
  Step step{.length = 0.7, .least = 0.4, .face_ramp = 3};
  Step step_of(const Sums& sums) const {
    Step with_sums = step;
    with_sums.sums = &sums;
    return with_sums;
  }
  VectorField<float> u = test::displacement(domain, domain, 4, 9);
  double scale = 1;  ///< of the gradient

  VectorField<float> gradient(int iteration) const {
    return test::make_vector_field(domain, [&](int c, int z, int y, int x) {
      return scale * (static_cast<double>(noise(z, y, x, 100U * iteration + c)) - 0.4);
    });
  }
  VectorField<float> filled(float value) const {
    return test::make_vector_field(domain, [&](int, int, int, int) { return value; });
  }
  /// Every box gets views that hold no more than its halo.
  Outcome run(const std::vector<Box>& boxes, float initial) {
    Context ctx = test::two_threads();
    Outcome r{filled(initial), filled(initial), filled(test::nan), {}, {}};
    for (adam.iteration = 1; adam.iteration <= iterations; ++adam.iteration) {
      r.sums = {};
      for (const Box& box : boxes) {
        VectorField<float> grad = gradient(adam.iteration);
        test::poison_outside(grad, intersect(grow(box, smooth::halo(smoothing)), domain));
        update(ctx, adam, smoothing, domain, box, grad, r.moments(adam.second_moment), &r.sums);
      }
    }
    adam.iteration = iterations;
    for (const Box& box : boxes)
      longest(ctx, adam, domain, box, r.moments(adam.second_moment), &r.again);
    for (const Box& box : boxes) {
      VectorField<float> shard = test::make_vector_field(
          domain, [&](int c, int z, int y, int x) { return u.view()[c](z, y, x); });
      test::poison_outside(shard, intersect(grow(box, halo(step)), domain));
      compose(ctx, adam, step_of(r.sums), domain, box, r.moments(adam.second_moment), shard, r.out);
    }
    return r;
  }
};
using enum SecondMoment;
INSTANTIATE_TEST_SUITE_P(Settings, Descent,
                         testing::Values(Setting{Box{{0, 0, 0}, {9, 11, 23}}, SecondMoment::vector},
                                         Setting{Box{{-3, 5, 2}, {4, 12, 30}}, element},
                                         Setting{Box{{-3, 5, 2}, {4, 12, 30}}, none},
                                         Setting{Box{{0, 0, 0}, {1, 17, 23}},
                                                 SecondMoment::vector}));

TEST_P(Descent, ValueMatchesReference) {
  Outcome got = run({domain}, test::nan);
  std::vector<VectorField<float>> history;
  for (int k = 1; k <= iterations; ++k) history.push_back(gradient(k));
  std::vector<Vec3> directions;
  double largest = 0;
  test::for_each_voxel(domain, [&](int z, int y, int x) {
    std::vector<Vec3> g;
    g.reserve(history.size());
    for (const auto& field : history)
      g.push_back(reference::smoothed(smoothing, domain, field.view(), {z, y, x}));
    directions.push_back(reference::direction(adam, g));
    const Vec3& d = directions.back();
    largest = std::max(largest, std::hypot(d[0], d[1], d[2]));
  });
  EXPECT_LT(test::relative_error(static_cast<double>(got.sums.longest), largest), 1e-6);
  EXPECT_EQ(got.again.longest, got.sums.longest);
  std::vector<double> want(static_cast<std::size_t>(3 * domain.volume()));
  std::size_t i = 0;
  const std::size_t volume = directions.size();
  test::for_each_voxel(domain, [&](int z, int y, int x) {
    const Vec3 v = reference::composed(step, std::max(largest, step.least), domain, directions[i],
                                       u.view(), {z, y, x});
    for (std::size_t c = 0; c < 3; ++c) want[c * volume + i] = v[c];
    ++i;
  });
  const auto difference = test::compare(test::values(got.out.view(), domain), want);
  EXPECT_LT(difference.relative_l2, 1e-6) << difference;
  EXPECT_GT(test::compare(test::values(u.view(), domain), want).relative_l2, 1e-2);
}

TEST_P(Descent, ShardedEqualsWhole) {
  const Outcome whole = run({domain}, 0);
  for (const auto& boxes : test::splits(domain)) {
    const Outcome sharded = run(boxes, 0);
    EXPECT_EQ(test::values(sharded.first.view(), domain), test::values(whole.first.view(), domain));
    EXPECT_EQ(test::values(sharded.out.view(), domain), test::values(whole.out.view(), domain));
    EXPECT_EQ(sharded.sums.longest, whole.sums.longest);
  }
}

TEST_P(Descent, TheLongestReadsOnlyItsBox) {
  Outcome r = run({domain}, 0);
  const Box inner = test::inner_part(domain);
  Context ctx = test::two_threads();
  Sums want, got;
  longest(ctx, adam, domain, inner, r.moments(adam.second_moment), &want);
  EXPECT_LT(want.longest, r.again.longest);
  test::for_each_voxel(domain, [&](int z, int y, int x) {
    if (!inner.contains(z, y, x)) r.first.view()[2](z, y, x) = 1e6F;
  });
  longest(ctx, adam, domain, inner, r.moments(adam.second_moment), &got);
  EXPECT_EQ(got.longest, want.longest);
}

TEST_P(Descent, InvariantUnderScaleOfTheGradient) {
  if (adam.second_moment == none) return;  // it is not
  const Outcome want = run({domain}, 0);
  scale = 1e4;
  adam.epsilon *= scale;
  const Outcome got = run({domain}, 0);
  const auto steps =
      test::compare(test::values(got.out.view(), domain), test::values(want.out.view(), domain));
  EXPECT_LT(steps.relative_l2, 1e-6) << steps;
  EXPECT_GT(test::compare(test::values(u.view(), domain), test::values(want.out.view(), domain))
                .relative_l2,
            1e-2);
}

TEST(DescentOfVectors, TurnsWithTheFrame) {
  constexpr Params p{.epsilon = 0.01};
  const Constants<double> c{p.beta1, 1 - p.beta1, p.beta2, 1 - p.beta2, 2, 3, p.epsilon};
  const auto turned = [](const double(&v)[3]) {  // by 30 degrees in the z-y plane
    const double s = 0.5, co = std::sqrt(0.75);
    return std::array<double, 3>{co * v[0] - s * v[1], s * v[0] + co * v[1], v[2]};
  };
  const double g[3] = {0.3, -0.7, 0.2};
  const auto direction_of = [&](const double(&gradient)[3]) {
    std::array<double, 3> d;
    double m[3] = {}, v[3] = {}, out[3];
    advance<SecondMoment::vector>(c, Iteration::first, gradient, m, v);
    directions<SecondMoment::vector>(c, m, v, out);
    std::copy(std::begin(out), std::end(out), d.begin());
    return d;
  };
  const auto other = turned(g), d = direction_of(g);
  const auto got = direction_of({other[0], other[1], other[2]});
  const auto want = turned({d[0], d[1], d[2]});
  for (std::size_t k = 0; k < 3; ++k) EXPECT_LT(test::relative_error(got[k], want[k]), 1e-12);
}

TEST_P(Descent, TheStepVanishesAtTheFacesAndWithItsDivisor) {
  const Outcome r = run({domain}, 0);
  const auto at_corner = [&](const VectorField<float>& field) {
    return field.view()[2](domain.lo[0], domain.lo[1], domain.lo[2]);
  };
  EXPECT_EQ(at_corner(r.out), at_corner(u));
  Context ctx = test::two_threads();
  VectorField<float> zero = filled(0), out = filled(test::nan);
  step.least = 0;
  const Sums none_found;
  compose(ctx, adam, step_of(none_found), domain, domain, Moments<float>{zero.view(), zero.view()},
          u, out);
  const auto kept = test::compare(test::values(out.view(), domain), test::values(u.view(), domain));
  EXPECT_LT(kept.relative_max, 1e-6) << kept;
}

TEST_P(Descent, Rejects) {
  Context ctx = test::two_threads();
  VectorField<float> g = gradient(1), m = filled(0), out = filled(0);
  const Moments<float> moments{m.view(), m.view()};
  Sums sums;
  const Box inner = test::inner_part(domain);
  const VectorField<float> small(Backend::cpu, inner);
  EXPECT_THROW(update(ctx, adam, smoothing, domain, inner, small.view(), moments, &sums),
               InvalidArgument);
  EXPECT_THROW(update(ctx, adam, {{-1, 0, 0}}, domain, domain, g, moments, &sums), InvalidArgument);
  EXPECT_THROW(update(ctx, adam, smoothing, domain, domain, g, moments, nullptr), InvalidArgument);
  for (const Params& p :
       {Params{.beta1 = 1}, Params{.beta2 = -0.1}, Params{.epsilon = -1}, Params{.iteration = 0}})
    EXPECT_THROW(update(ctx, p, smoothing, domain, domain, g, moments, &sums), InvalidArgument);
  EXPECT_THROW(compose(ctx, adam, {.length = 1.1, .sums = &sums}, domain, domain, moments, u, out),
               InvalidArgument);
  EXPECT_THROW(compose(ctx, adam, step_of(sums), domain, domain, moments, u, u), InvalidArgument);
  const Moments<Half> half{{nullptr, domain, 0, 0, 0}, {}};
  EXPECT_THROW(longest(ctx, adam, domain, domain, half, &sums), InvalidArgument);
}

}  // namespace
}  // namespace ffdp::descent
