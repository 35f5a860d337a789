// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/correlation/correlation.hpp"

#include <utility>
#include <vector>

#include "tests/support/compare.hpp"
#include "tests/support/fields.hpp"
#include "tests/support/gradient.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"
#include "ffdp/ops/correlation/reference.hpp"

namespace ffdp::correlation {
namespace {

struct Setting {
  Box domain;
  Params params;
  bool weighted = false;
};

Params box(int size, Floor floor, Power power, double epsilon, double numerator = 0) {
  const std::vector<double> taps(size, 1.0);
  return {{taps, taps, taps}, floor, power, epsilon, numerator};
}

class Correlation : public testing::TestWithParam<Setting> {
 protected:
  Box domain = GetParam().domain;
  Params params = GetParam().params;
  Field<float> fixed = test::image(domain, 1);
  Field<float> warped = test::make_field(domain, [](int z, int y, int x) {
    return 0.6 * test::smooth_noise(z, y, x, 4, 1) + 0.4 * double(noise(z, y, x, 6));
  });
  Field<float> weights =
      test::make_field(domain, [](int z, int y, int x) { return noise(z, y, x, 9); });
  View<const float> weight = GetParam().weighted ? weights.view() : View<const float>{};

  MetricSum run(const Box& compute, View<float> map, View<float> grad) const {
    Context ctx;
    ctx.threads = 2;
    MetricSum sum;
    const float centres[2] = {0.5F, 0.5F};
    forward_backward<float>(ctx, params, domain, compute, {fixed, warped}, centres, weight,
                            {map, grad, &sum});
    return sum;
  }
};
INSTANTIATE_TEST_SUITE_P(
    Settings, Correlation,
    testing::Values(
        Setting{{{0, 0, 0}, {7, 8, 9}}, box(5, Floor::product, Power::squared, 1e-4)},
        Setting{{{-2, 3, 1}, {6, 10, 13}},
                box(3, Floor::clamped_each, Power::squared, 1e-2, 1e-3),
                true},
        Setting{{{0, 0, 0}, {40, 3, 5}}, box(3, Floor::added_each, Power::plain, 1e-3), true},
        Setting{{{0, 0, 0}, {7, 8, 9}}, box(5, Floor::clamped_product, Power::plain, 4e-4)},
        Setting{{{0, 0, 0}, {1, 12, 11}},
                {{{{1.0}, {0.5, 1.0, 0.5}, {0.1, 0.6, 1.0, 0.6, 0.1}}},
                 Floor::product,
                 Power::squared,
                 1e-5,
                 0}},
        Setting{{{0, 0, 0}, {32, 4, 5}},  // one slab of the CPU, and an axis for each window
                {{{{0.3, 1.0, 0.3}, {0.5, 1.0, 0.5}, {0.1, 0.6, 1.0, 0.6, 0.1}}},
                 Floor::product,
                 Power::squared,
                 1e-5,
                 0}}));

TEST_P(Correlation, ValueMatchesReference) {
  Field<float> map(Backend::cpu, domain);
  const MetricSum got = run(domain, map, {});
  const View<const float> f = fixed, m = warped;
  EXPECT_LT(test::relative_error(got.value, reference::sum(params, domain, domain, f, m, weight)),
            1e-6);
  std::vector<double> want;
  double total = 0;
  test::for_each_voxel(domain, [&](int z, int y, int x) {
    want.push_back(reference::cc(params, domain, f, m, z, y, x));
    total += weight ? double(weight(z, y, x)) : 1.0;
  });
  EXPECT_LT(test::compare(test::values(map.view(), domain), want).relative_l2, 1e-6);
  EXPECT_LT(test::relative_error(got.weight, total), 1e-12);
}

TEST_P(Correlation, GradientMatchesFiniteDifferencesOfReference) {
  Field<float> grad(Backend::cpu, domain);
  run(domain, {}, grad);
  std::vector<double> got, want;
  for (const auto& [z, y, x] : test::sampled_voxels(domain, 12)) {
    got.push_back(double(grad.view()(z, y, x)));
    want.push_back(test::central_difference(warped.view()(z, y, x), 1e-3F, [&] {
      const View<const float> f = fixed, m = warped;
      return reference::sum(params, domain, domain, f, m, weight);
    }));
  }
  test::expect_gradient(got, want, 2e-4);
}

TEST_P(Correlation, ShardedEqualsWhole) {
  Field<float> want(Backend::cpu, domain);
  const MetricSum whole = run(domain, {}, want);
  for (const auto& boxes : test::splits(domain)) {
    MetricSum sum;
    Field<float> grad(Backend::cpu, domain);
    for (const Box& part : boxes) sum += run(part, {}, grad);
    EXPECT_LT(test::relative_error(sum.value, whole.value), 1e-12);
    EXPECT_LT(test::relative_error(sum.weight, whole.weight), 1e-12);
    EXPECT_EQ(test::values(grad.view(), domain), test::values(want.view(), domain));
  }
}

TEST_P(Correlation, ReadsOnlyItsHalo) {
  const Box compute = test::inner_part(domain);
  Field<float> want(Backend::cpu, compute), got(Backend::cpu, compute);
  const MetricSum before = run(compute, {}, want);
  const Int3 wide = halo(params);
  test::poison_outside(fixed, intersect(grow(compute, wide), domain));
  test::poison_outside(warped, intersect(grow(compute, wide), domain));
  test::poison_outside(weights,
                       intersect(grow(compute, {wide[0] / 2, wide[1] / 2, wide[2] / 2}), domain));
  const MetricSum after = run(compute, {}, got);
  EXPECT_EQ(before.value, after.value);
  EXPECT_EQ(test::values(got.view(), compute), test::values(want.view(), compute));
}

TEST(CorrelationInvariance, OffsetsOfTheInnerPartChangeNothing) {
  // Windows that the edge does not cut know no offset; 1000 +- 1 is the edge of what float holds.
  const Box domain = box_of({12, 12, 12}), inner{{4, 4, 4}, {8, 8, 8}};
  const Params p = box(5, Floor::product, Power::squared, 0);
  const auto made = [&](double offset, std::uint32_t seed) {
    return test::make_field<double>(domain, [&](int z, int y, int x) {
      return offset + std::round(1024 * noise(z, y, x, seed)) / 1024;  // exact in float, too
    });
  };
  const auto gradient = [&](double offset) {
    const Field<double> f = made(offset, 1), m = made(-offset, 2);
    Field<double> grad(Backend::cpu, inner);
    const double centres[2] = {0, 0};
    Context ctx;
    forward_backward<double>(ctx, p, domain, inner, {f, m}, centres, {}, {{}, grad, nullptr});
    return test::values(grad.view(), inner);
  };
  EXPECT_LT(test::compare(gradient(1000), gradient(0)).relative_l2, 1e-7);
}

TEST(CorrelationOfFlatPatches, IsZeroHoweverFarFromTheCentre) {
  // Outside the domain is 0: only windows that the edge does not cut are flat. The rounding of
  // their sums has another sign for other constants.
  const Box domain = box_of({9, 9, 9}), inner{{2, 2, 2}, {7, 7, 7}};
  const auto image = test::make_field<double>(
      domain, [](int z, int y, int x) { return 1000 + double(noise(z, y, x, 3)); });
  const double centres[2] = {0, 0};
  Context ctx;
  for (const double constant : {1000.1, 777.7, 12345.6, 98765.4, 0.3e6})
    for (const double epsilon : {0.0, 1e-20}) {
      const auto flat = test::make_field<double>(domain, [&](int, int, int) { return constant; });
      for (const auto& [f, m] : {std::pair(&flat, &image), std::pair(&image, &flat)}) {
        Field<double> map(Backend::cpu, inner);
        forward_backward<double>(ctx, box(5, Floor::product, Power::squared, epsilon), domain,
                                 inner, {*f, *m}, centres, {}, {map, {}, nullptr});
        for (const double value : map) EXPECT_EQ(value, 0);
      }
    }
}

TEST(CorrelationRejects, WindowsAndViewsThatDoNotFit) {
  const Box domain = box_of({4, 8, 8});
  const Field<float> image = test::image(domain, 1), small = test::image(box_of({4, 8, 7}), 1);
  Context ctx;
  MetricSum sum;
  const float centres[2] = {0, 0};
  const auto run = [&](const Params& p, const Field<float>& f, const float* c) {
    forward_backward<float>(ctx, p, domain, domain, {f, image}, c, {}, {{}, {}, &sum});
  };
  const Params good = box(3, Floor::product, Power::squared, 1e-5);
  EXPECT_NO_THROW(run(good, image, centres));
  EXPECT_THROW(run(good, small, centres), InvalidArgument);
  EXPECT_THROW(run(good, image, nullptr), InvalidArgument);
  EXPECT_THROW(run(box(4, Floor::product, Power::squared, 1e-5), image, centres), InvalidArgument);
  EXPECT_THROW(run(box(65, Floor::product, Power::squared, 1e-5), image, centres), InvalidArgument);
  EXPECT_THROW(run(box(3, Floor::product, Power::squared, -1), image, centres), InvalidArgument);
  Params skewed = good;
  skewed.taps[0] = {1, 2, 3};
  EXPECT_THROW(run(skewed, image, centres), InvalidArgument);
}

}  // namespace
}  // namespace ffdp::correlation
