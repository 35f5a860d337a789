// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/lncc/lncc.hpp"

#include <cmath>
#include <vector>

#include "tests/support/compare.hpp"
#include "tests/support/context.hpp"
#include "tests/support/fields.hpp"
#include "tests/support/gradient.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"
#include "ffdp/ops/lncc/reference.hpp"

namespace ffdp::lncc {
namespace {

struct Setting {
  Box domain;
  Window window = Window::box;
  int radius = 2;
  bool missing = false;
};

class Lncc : public testing::TestWithParam<Setting> {
 protected:
  Box domain = GetParam().domain;
  Params params = make_params();
  Field<float> fixed = test::make_field(domain, [this](int z, int y, int x) {
    const double value =
        test::smooth_noise(z, y, x, 4, 1) + 0.1 * static_cast<double>(noise(z, y, x, 2));
    return missing(z, y, x, 13) ? std::nan("") : value;
  });
  Field<float> warped = test::make_field(domain, [this](int z, int y, int x) {
    const double value = 0.6 * test::smooth_noise(z, y, x, 4, 1) +
                         0.4 * test::smooth_noise(z, y, x, 3, 5) +
                         0.1 * static_cast<double>(noise(z, y, x, 6));
    return missing(z, y, x, 12) ? std::nan("") : value;
  });

  static bool missing(int z, int y, int x, std::uint32_t seed) {
    return GetParam().missing && noise(z, y, x, seed) < 0.1F;
  }

  static Params make_params() {
    Params p;
    p.window = GetParam().window;
    p.radius = GetParam().radius;
    p.sigma = 1.2;
    p.missing_values = GetParam().missing;
    if (p.window != Window::zero_padded_box) p.fixed_centre = p.moving_centre = 0.5F;
    return p;
  }
  MetricSum run(const Box& compute, const Field<float>& f, const Field<float>& m,
                View<float> grad) const {
    Context ctx = test::two_threads();
    return forward_backward(ctx, params, domain, compute, {f, m}, grad);
  }
};
INSTANTIATE_TEST_SUITE_P(
    Settings, Lncc,
    testing::Values(Setting{Box{{0, 0, 0}, {9, 11, 23}}},
                    Setting{Box{{-3, 5, 2}, {4, 12, 22}}, Window::box, 3},
                    Setting{Box{{0, 0, 0}, {6, 7, 21}}, Window::box, 4},
                    Setting{Box{{0, 0, 0}, {1, 17, 33}}, Window::box, 2},
                    Setting{Box{{0, 0, 0}, {7, 9, 18}}, Window::gaussian},
                    Setting{Box{{0, 0, 0}, {7, 9, 18}}, Window::zero_padded_box, 2},
                    Setting{Box{{0, 0, 0}, {7, 9, 18}}, Window::box, 2, true},
                    Setting{Box{{0, 0, 0}, {1, 15, 20}}, Window::gaussian, 2, true},
                    Setting{Box{{0, 0, 0}, {3, 4, 5}}, Window::box, 5}));  // smaller than a window

TEST_P(Lncc, ValueMatchesReference) {
  const MetricSum got = run(domain, fixed, warped, {});
  const double want = reference::sum(params, domain, domain, fixed.view(), warped.view());
  EXPECT_LT(test::relative_error(got.value, want), 1e-5);
  EXPECT_GT(want, 0.05 * static_cast<double>(domain.volume()));
  double present = 0;
  test::for_each_voxel(domain, [&](int z, int y, int x) {
    present += !std::isnan(fixed.view()(z, y, x)) && !std::isnan(warped.view()(z, y, x));
  });
  EXPECT_EQ(got.weight, present);
  Field<float> grad(Backend::cpu, domain);
  EXPECT_LT(test::relative_error(run(domain, fixed, warped, grad).value, got.value), 1e-12);
}

TEST_P(Lncc, GradientMatchesFiniteDifferencesOfReference) {
  Field<float> grad(Backend::cpu, domain);
  run(domain, fixed, warped, grad);
  std::vector<double> got, want;
  const auto voxels = test::sampled_voxels(domain, 30);
  for (const auto& [z, y, x] : voxels) {
    got.push_back(static_cast<double>(grad.view()(z, y, x)));
    if (std::isnan(fixed.view()(z, y, x)) || std::isnan(warped.view()(z, y, x))) {
      want.push_back(0);
      continue;
    }
    const Box near = intersect(grow(Box{{z, y, x}, {z + 1, y + 1, x + 1}}, reach(params)), domain);
    want.push_back(test::central_difference(warped.view()(z, y, x), 5e-4F, [&] {
      return reference::sum(params, domain, near, fixed.view(), warped.view());
    }));
  }
  test::expect_gradient(got, want, 2e-4);
}

TEST_P(Lncc, ShardedEqualsWhole) {
  Field<float> want(Backend::cpu, domain);
  const MetricSum whole = run(domain, fixed, warped, want);
  for (const auto& boxes : test::splits(domain)) {
    Field<float> grad(Backend::cpu, domain);
    MetricSum sum, value_only;
    for (const Box& box : boxes) {
      const auto shard = [&](const Field<float>& from, int reach_of) {
        return test::make_field(intersect(grow(box, reach_of), domain),
                                [&](int z, int y, int x) { return from.view()(z, y, x); });
      };
      sum += run(box, shard(fixed, halo(params)), shard(warped, halo(params)), grad);
      value_only += run(box, shard(fixed, reach(params)), shard(warped, reach(params)), {});
    }
    EXPECT_EQ(test::values(grad.view(), domain), test::values(want.view(), domain));
    EXPECT_LT(test::relative_error(sum.value, whole.value), 1e-12);
    EXPECT_LT(test::relative_error(value_only.value, whole.value), 1e-12);
    EXPECT_EQ(sum.weight, whole.weight);
  }
}

TEST_P(Lncc, ReadsOnlyItsHalo) {
  // Where NaN is a missing value, a number that is far from the others stands beyond the halo.
  const float poison = GetParam().missing ? 1e3F : test::nan;
  const Box compute = test::inner_part(domain);
  const auto widened = [&](const Field<float>& from) {
    auto field = test::make_field(grow(domain, 3), [&](int z, int y, int x) {
      return domain.contains(z, y, x) ? from.view()(z, y, x) : poison;
    });
    test::poison_outside(field, intersect(grow(compute, halo(params)), domain), poison);
    return field;
  };
  Field<float> grad(Backend::cpu, compute), want(Backend::cpu, domain);
  const MetricSum sum = run(compute, widened(fixed), widened(warped), grad);
  run(domain, fixed, warped, want);
  EXPECT_TRUE(std::isfinite(sum.value));
  EXPECT_EQ(test::values(grad.view(), compute), test::values(want.view(), compute));
}

TEST_P(Lncc, InvariantUnderScaleAndShiftOfIntensities) {
  if (GetParam().window == Window::zero_padded_box) return;  // its zeros do not shift along
  Field<float> want(Backend::cpu, domain);
  const MetricSum base = run(domain, fixed, warped, want);
  Field<float> other = test::make_field(
      domain, [&](int z, int y, int x) { return 1000 + 50 * warped.view()(z, y, x); });
  params.moving_centre = 1000 + 50 * params.moving_centre;
  params.moving_floor *= 2500;
  Field<float> grad(Backend::cpu, domain);
  EXPECT_LT(test::relative_error(run(domain, fixed, other, grad).value, base.value), 1e-4);
  for (float& g : grad) g *= 50;
  const auto difference = test::compare(grad, want);
  EXPECT_LT(difference.relative_l2, 1e-3) << difference;
}

TEST(LnccOf, FlatWindowsCountNothing) {
  const Box domain = box_of({5, 20, 20});
  const auto half = test::make_field(
      domain, [](int z, int y, int x) { return x < 10 ? 0.3F : noise(z, y, x, 2); });
  const Field<float> image = test::image(domain, 3);
  Context ctx = test::two_threads();
  Field<float> grad(Backend::cpu, domain);
  forward_backward(ctx, {}, domain, domain, {half, image}, grad);
  // A window reaches 2 voxels, and so does its gradient.
  for (double g : test::values(grad.view(), {{0, 0, 0}, {5, 20, 6}})) EXPECT_EQ(g, 0);
  for (double g : test::values(grad.view(), {{0, 0, 10}, {5, 20, 20}})) EXPECT_NE(g, 0);
}

TEST(LnccOf, AnImageWithItselfIsOnePerVoxel) {
  const Box domain = box_of({6, 12, 20});
  const Field<float> image = test::image(domain, 1);
  Context ctx = test::two_threads();
  Params params;
  params.fixed_centre = params.moving_centre = 0.5F;
  const MetricSum sum = forward_backward(ctx, params, domain, domain, {image, image}, {});
  EXPECT_LT(test::relative_error(sum.value, static_cast<double>(domain.volume())), 1e-5);
}

TEST(LnccRejects, BadParametersAndViewsWithoutHalo) {
  const Box domain = box_of({16, 16, 16}), compute{{6, 6, 6}, {9, 9, 9}};
  const Field<float> image = test::image(domain, 1), small = test::image(grow(compute, 3), 1);
  Field<float> grad(Backend::cpu, domain);
  Context ctx = test::two_threads();
  Params p;
  EXPECT_THROW(forward_backward(ctx, p, domain, compute, {small, image}, grad), InvalidArgument);
  EXPECT_THROW(forward_backward(ctx, p, domain, compute, {image, small}, grad), InvalidArgument);
  EXPECT_NO_THROW(forward_backward(ctx, p, domain, compute, {small, small}, {}));
  p.radius = 0;
  EXPECT_THROW(forward_backward(ctx, p, domain, compute, {image, image}, grad), InvalidArgument);
  p = {};
  p.moving_floor = -1;
  EXPECT_THROW(forward_backward(ctx, p, domain, compute, {image, image}, grad), InvalidArgument);
  p = {.window = Window::zero_padded_box, .missing_values = true};
  EXPECT_THROW(forward_backward(ctx, p, domain, compute, {image, image}, grad), InvalidArgument);
}

}  // namespace
}  // namespace ffdp::lncc
