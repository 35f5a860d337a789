// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/differences/differences.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/support/compare.hpp"
#include "tests/support/fields.hpp"
#include "tests/support/gradient.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"
#include "ffdp/ops/differences/reference.hpp"

namespace ffdp::differences {
namespace {

const Stencil forward_y{{{{0, 1, 0}, 1}, {{0, 0, 0}, -1}}, 0.5};
const Stencil second_x{{{{0, 0, 1}, 1}, {{0, 0, 0}, -2}, {{0, 0, -1}, 1}, {{1, 1, 0}, 0}}, 2};
const Stencil mixed{
    {{{1, 0, 1}, 0.25}, {{1, 0, -1}, -0.25}, {{-1, 0, 1}, -0.25}, {{-1, 0, -1}, 0.25}}, 0.7};
const Stencil skewed{{{{0, -2, 0}, 1}, {{0, 0, 0}, -2}, {{0, 0, 3}, 1}}, 0.9};

/// Second differences as `bending` of ffdp.torch wants them: where the widest one fits.
std::vector<Stencil> second_differences(int step) {
  std::vector<Stencil> all;
  const double unit = step == 1 ? 1 : 0.25;
  for (int a = 0; a < 3; ++a)
    for (int b = a; b < 3; ++b) {
      const auto tap = [&](int along_a, int along_b, double coefficient) {
        Stencil::Tap t{{0, 0, 0}, coefficient};
        t.offset[a] += along_a;
        t.offset[b] += along_b;
        return t;
      };
      Stencil s{{}, 0.3 + 0.1 * a + 0.2 * b};
      if (a == b)
        s.taps = {tap(step, 0, unit), tap(0, 0, -2 * unit), tap(-step, 0, unit)};
      else
        s.taps = {tap(1, 1, 0.25), tap(1, -1, -0.25), tap(-1, 1, -0.25), tap(-1, -1, 0.25)};
      s.taps.push_back({{-step, -step, -step}, 0});
      s.taps.push_back({{step, step, step}, 0});
      all.push_back(s);
    }
  return all;
}

/// Forward differences along z, y, x; that along y where `wide` fits, too.
std::vector<Stencil> forward_differences(const Int3& wide) {
  return {{{{{1, 0, 0}, 1}, {{0, 0, 0}, -1}}, 0.4},
          {{{{0, 1, 0}, 1}, {{0, 0, 0}, -1}, {wide, 0}}, 0.5},
          {{{{0, 0, 1}, 1}, {{0, 0, 0}, -1}}, 0.6}};
}

/// Stencils whose taps, or those of coefficient 0, lie on one side of the voxel.
const std::vector<Stencil> lopsided{
    {{{{0, 1, 0}, 1}, {{0, 0, 0}, -1}, {{0, -3, 0}, 0}}, 0.5},
    {{{{0, 0, -1}, 1}, {{0, 0, 0}, -1}, {{0, 0, 3}, 0}}, 0.7},
    {{{{-1, 0, 0}, 1}, {{-2, 0, 0}, -1}, {{-4, 0, 0}, 0}}, 0.6},
    {{{{0, 2, 0}, 1}, {{0, 1, 0}, -1}, {{0, 4, 0}, 0}}, 0.8},
};

struct Setting {
  Box domain;
  Params params;
};

class Differences : public testing::TestWithParam<Setting> {
 protected:
  Box domain = GetParam().domain;
  Params params = GetParam().params;
  // Neighbouring rows are far apart: no absolute difference is near its kink.
  Field<float> u = test::make_field(domain, [](int z, int y, int x) {
    return noise(z, y, x, 3) + 3 * static_cast<float>(y & 1);
  });
  Context ctx = [] {
    Context c;
    c.threads = 2;
    return c;
  }();

  Field<float> gradient(const Box& compute) {
    Field<float> grad(Backend::cpu, compute);
    const float scale = 1;
    backward<float>(ctx, params, domain, compute, u, &scale, grad);
    return grad;
  }
};
INSTANTIATE_TEST_SUITE_P(
    Settings, Differences,
    testing::Values(Setting{{{0, 0, 0}, {5, 6, 7}}, {{forward_y}, Power::absolute}},
                    Setting{{{-2, 1, 3}, {4, 7, 10}},
                            {{forward_y, second_x, mixed, skewed}, Power::squared}},
                    Setting{{{0, 0, 0}, {1, 9, 8}}, {{forward_y, second_x}, Power::squared}},
                    Setting{{{0, 0, 0}, {5, 6, 7}}, {forward_differences({0, 0, 0})}},
                    Setting{{{0, 0, 0}, {6, 7, 8}}, {forward_differences({0, 0, 3})}},
                    Setting{{{0, 0, 0}, {4, 9, 5}}, {{lopsided[0]}}},
                    Setting{{{0, 0, 0}, {4, 5, 9}}, {{lopsided[1]}}},
                    Setting{{{0, 0, 0}, {10, 5, 4}}, {{lopsided[2]}}},
                    Setting{{{0, 0, 0}, {4, 10, 5}}, {{lopsided[3]}}},
                    Setting{{{1, 0, -1}, {8, 9, 6}}, {second_differences(1)}},
                    Setting{{{0, 0, 0}, {11, 10, 12}}, {second_differences(2)}}));

TEST_P(Differences, ValueMatchesReference) {
  double sum = 0;
  forward<float>(ctx, params, domain, domain, u, &sum);
  const View<const float> view = u;
  EXPECT_LT(test::relative_error(sum, reference::energy(params, domain, domain, view)), 1e-6);
}

TEST_P(Differences, GradientMatchesFiniteDifferencesOfReference) {
  const Field<float> grad = gradient(domain);
  std::vector<double> got, want;
  for (const auto& [z, y, x] : test::sampled_voxels(domain, 40)) {
    got.push_back(double(grad.view()(z, y, x)));
    want.push_back(test::central_difference(u.view()(z, y, x), 1e-3F, [&] {
      const View<const float> view = u;
      return reference::energy(params, domain, domain, view);
    }));
  }
  test::expect_gradient(got, want, 1e-4);
}

TEST_P(Differences, ShardedEqualsWhole) {
  double whole = 0;
  forward<float>(ctx, params, domain, domain, u, &whole);
  const auto want = test::values(gradient(domain).view(), domain);
  for (const auto& boxes : test::splits(domain)) {
    double sum = 0;
    Field<float> grad(Backend::cpu, domain);
    const float scale = 1;
    for (const Box& box : boxes) {
      forward<float>(ctx, params, domain, box, u, &sum);
      backward<float>(ctx, params, domain, box, u, &scale, grad);
    }
    EXPECT_LT(test::relative_error(sum, whole), 1e-12);
    EXPECT_EQ(test::values(grad.view(), domain), want);
  }
}

/// How far from a voxel lie the taps of the differences that read it.
int halo(const Params& params) {
  int most = 0;
  for (const Stencil& s : params.stencils)
    for (const auto& one : s.taps)
      for (const auto& other : s.taps)
        for (int a = 0; a < 3; ++a)
          if (one.coefficient != 0) most = std::max(most, other.offset[a] - one.offset[a]);
  return most;
}

TEST_P(Differences, ReadsOnlyItsHalo) {
  const Box compute = test::inner_part(domain);
  const auto want = test::values(gradient(compute).view(), compute);
  test::poison_outside(u, intersect(grow(compute, halo(params)), domain));
  EXPECT_EQ(test::values(gradient(compute).view(), compute), want);
}

TEST_P(Differences, AFlatImageHasNoGradient) {
  u = test::make_field(domain, [](int, int, int) { return 0.7F; });
  for (const float value : gradient(domain)) EXPECT_LT(std::abs(value), 1e-6F);
}

TEST(DifferencesRejects, WhatDoesNotFit) {
  const Box domain = box_of({4, 5, 6});
  const Field<float> u = test::image(domain, 1), small = test::image(box_of({4, 5, 5}), 1);
  Context ctx;
  double sum = 0;
  const auto run = [&](const Params& p, const Field<float>& field) {
    forward<float>(ctx, p, domain, domain, field, &sum);
  };
  EXPECT_NO_THROW(run({{forward_y}, Power::squared}, u));
  EXPECT_THROW(run({{}, Power::squared}, u), InvalidArgument);
  EXPECT_THROW(run({std::vector<Stencil>(7, forward_y), Power::squared}, u), InvalidArgument);
  EXPECT_THROW(run({{Stencil{std::vector<Stencil::Tap>(10), 1}}, Power::squared}, u),
               InvalidArgument);
  EXPECT_THROW(run({{forward_y}, Power::squared}, small), InvalidArgument);
}

}  // namespace
}  // namespace ffdp::differences
