// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/mse/mse.hpp"

#include <cmath>
#include <vector>

#include "tests/support/compare.hpp"
#include "tests/support/fields.hpp"
#include "tests/support/gradient.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"
#include "ffdp/ops/mse/reference.hpp"

namespace ffdp::mse {
namespace {

class Mse : public testing::TestWithParam<Box> {
 protected:
  Box domain = GetParam();
  Field<float> fixed = test::image(domain, 1);
  Field<float> warped = test::make_field(domain, [](int z, int y, int x) {
    return noise(z, y, x, 4) < 0.1F ? test::nan : noise(z, y, x, 5);
  });
  static MetricSum run(const Box& domain, const Box& compute, const Field<float>& f,
                       const Field<float>& m, View<float> grad) {
    Context ctx;
    ctx.threads = 2;
    return forward_backward(ctx, {}, domain, compute, {f, m}, grad);
  }
};
INSTANTIATE_TEST_SUITE_P(Sizes, Mse,
                         testing::Values(Box{{0, 0, 0}, {9, 11, 23}},
                                         Box{{0, -3, 2}, {1, 12, 40}}));

TEST_P(Mse, ValueMatchesReference) {
  const MetricSum got = run(domain, domain, fixed, warped, {});
  EXPECT_LT(test::relative_error(got.value, reference::sum(domain, fixed.view(), warped.view())),
            1e-6);
  double present = 0;
  for (float m : warped) present += !std::isnan(m);
  EXPECT_EQ(got.weight, present);
}

TEST_P(Mse, GradientMatchesFiniteDifferencesOfReference) {
  Field<float> grad(Backend::cpu, domain);
  run(domain, domain, fixed, warped, grad);
  std::vector<double> got, want;
  for (const auto& [z, y, x] : test::sampled_voxels(domain, 50)) {
    got.push_back(static_cast<double>(grad.view()(z, y, x)));
    const bool missing = std::isnan(warped.view()(z, y, x));
    want.push_back(missing ? 0.0 : test::central_difference(warped.view()(z, y, x), 1e-2F, [&] {
      return reference::sum(domain, fixed.view(), warped.view());
    }));
  }
  test::expect_gradient(got, want, 1e-6);
}

TEST_P(Mse, ShardedEqualsWhole) {
  Field<float> want(Backend::cpu, domain);
  const MetricSum whole = run(domain, domain, fixed, warped, want);
  for (const auto& boxes : test::splits(domain)) {
    MetricSum sum;
    Field<float> grad(Backend::cpu, domain);
    for (const Box& box : boxes) sum += run(domain, box, fixed, warped, grad);
    EXPECT_LT(test::relative_error(sum.value, whole.value), 1e-12);
    EXPECT_EQ(sum.weight, whole.weight);
    EXPECT_EQ(test::values(grad.view(), domain), test::values(want.view(), domain));
  }
}

TEST_P(Mse, ReadsOnlyItsHalo) {
  const Box compute = test::inner_part(domain);
  const MetricSum want = run(domain, compute, fixed, warped, {});
  test::poison_outside(fixed, compute);
  const MetricSum got = run(domain, compute, fixed, warped, {});
  EXPECT_EQ(got.value, want.value);
  EXPECT_EQ(got.weight, want.weight);
}

TEST_P(Mse, WritesOnlyTheComputeBox) {
  const Box compute = test::inner_part(domain);
  Field<float> grad = test::make_field(domain, [](int, int, int) { return 7.0F; });
  run(domain, compute, fixed, warped, grad);
  test::for_each_voxel(domain, [&](int z, int y, int x) {
    if (!compute.contains(z, y, x)) {
      EXPECT_EQ(grad.view()(z, y, x), 7.0F);
    }
  });
}

TEST(MseRejects, ViewsThatAreTooSmall) {
  const Box domain = box_of({4, 8, 8});
  const Field<float> image = test::image(domain, 1), small = test::image(box_of({4, 8, 7}), 1);
  Field<float> grad(Backend::cpu, box_of({3, 8, 8}));
  Context ctx;
  EXPECT_THROW(forward_backward(ctx, {}, domain, domain, {small, image}, {}), InvalidArgument);
  EXPECT_THROW(forward_backward(ctx, {}, domain, domain, {image, small}, {}), InvalidArgument);
  EXPECT_THROW(forward_backward(ctx, {}, domain, domain, {image, image}, grad), InvalidArgument);
}

}  // namespace
}  // namespace ffdp::mse
