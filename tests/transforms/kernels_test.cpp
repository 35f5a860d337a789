// SPDX-License-Identifier: Apache-2.0
// The kernels beside values that ITK gives for a single voxel of 1 and for a constant image.
#include "ffdp/transforms/kernels.hpp"

#include "tests/support/fields.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"
#include "ffdp/transforms/apply.hpp"

namespace ffdp::transforms {
namespace {

const Box domain = box_of({21, 21, 21});

Field<double> impulse() {
  return test::make_field<double>(
      domain, [](int z, int y, int x) { return z == 10 && y == 10 && x == 10 ? 1.0 : 0.0; });
}

/// @param x  tenths as the float32 spacing of the image that ITK sampled has them
double value_at(const Kernel& kernel, const Field<double>& image, double x) {
  PointWeights scratch;
  return kernel_value(kernel, domain, image.view(), {10, 10, 10 * x * static_cast<double>(0.1F)},
                      scratch);
}

Kernel sinc(Window window) { return {.kind = Kernel::Kind::sinc, .window = window}; }

TEST(Kernels, WindowedSincIsItks) {
  const auto one = impulse();
  EXPECT_NEAR(value_at(sinc(Window::hamming), one, 10.3), 0.8390676586781209, 1e-12);
  EXPECT_NEAR(value_at(sinc(Window::hamming), one, 11.5), -0.11459152841781314, 1e-12);
  EXPECT_NEAR(value_at(sinc(Window::cosine), one, 10.3), 0.8478252930392357, 1e-12);
  EXPECT_NEAR(value_at(sinc(Window::welch), one, 12.7), 0.01812162466724282, 1e-12);
  EXPECT_NEAR(value_at(sinc(Window::lanczos), one, 11.5), -0.1350948806560114, 1e-12);
}

TEST(Kernels, BeyondTheEdgeASincSeesNothing) {
  const auto flat = test::make_field<double>(domain, [](int, int, int) { return 100.0; });
  EXPECT_NEAR(value_at(sinc(Window::hamming), flat, 10.3), 100.22211677867479, 1e-9);
  EXPECT_NEAR(value_at(sinc(Window::hamming), flat, 0.3), 110.59493913251963, 1e-4);
}

TEST(Kernels, GaussianIsItks) {
  Kernel kernel{.kind = Kernel::Kind::gaussian};
  const auto one = impulse();
  EXPECT_NEAR(value_at(kernel, one, 10.3), 0.08453593596811358, 1e-6);
  EXPECT_EQ(value_at(kernel, one, 11.5), 0);
  kernel.sigma = {0.7, 0.7, 0.7};
  kernel.alpha = 2;
  EXPECT_NEAR(value_at(kernel, one, 11.5), 0.021987868781310142, 1e-6);
}

TEST(Kernels, SplinesOfEveryOrderAreItks) {
  const double at_10_3[] = {1, 0.7, 0.8508829649673029, 0.8346422446939172};
  const double at_11_5[] = {0, 0, -0.10050501467465582, -0.1274047105746981};
  Context ctx;
  for (int order = 0; order <= 5; ++order) {
    auto image = impulse();
    spline_coefficients(ctx, order, image.view());
    const Kernel kernel{.order = order};
    EXPECT_NEAR(value_at(kernel, image, 10), 1, 1e-6) << order;
    EXPECT_NEAR(value_at(kernel, image, 9), 0, 1e-6) << order;
    if (order > 3) continue;
    EXPECT_NEAR(value_at(kernel, image, 10.3), at_10_3[order], 1e-6) << order;
    EXPECT_NEAR(value_at(kernel, image, 11.5), at_11_5[order], 1e-6) << order;
  }
  EXPECT_THROW(spline_coefficients(ctx, 6, impulse().view()), InvalidArgument);
}

TEST(Kernels, LabelsVoteWithTheirWeights) {
  const Kernel kernel{.kind = Kernel::Kind::gaussian, .alpha = 4};
  const auto labels = test::make_field<double>(domain, [](int, int, int x) {
    return x < 10 ? 3.0 : x == 10 ? 70000000.0 : 5.0;
  });
  PointWeights scratch;
  const auto label = [&](double x) {
    return kernel_label(kernel, domain, labels.view(), {10, 10, x}, scratch);
  };
  EXPECT_EQ(label(8), 3);
  EXPECT_EQ(label(12), 5);
  EXPECT_EQ(label(10), 70000000);
  EXPECT_EQ(label(9.4), 3);
}

TEST(Kernels, ApplyUsesThem) {
  Context ctx;
  const Grid grid{.size = {1, 1, 21}}, moving_grid{.size = {21, 21, 21}};
  Image<double> moving{moving_grid, impulse()};
  CompositeTransform chain;
  chain.append(Affine{.translation = {0.3, 10, 10}});
  std::vector<double> got;
  apply<double>(ctx, {.interpolation = Interpolation::kernel, .fill = -7, .kernel = {.order = 2}},
                grid, chain, moving,
                [&](std::span<const double> v) { got.assign(v.begin(), v.end()); });
  ASSERT_EQ(got.size(), 21U);
  EXPECT_NEAR(got[10], 0.8508829649673029, 1e-6);
  EXPECT_NE(got[19], -7);
  EXPECT_NEAR(got[20], got[0], 1e-3);
  chain.append(Affine{.translation = {0.3, 0, 0}});
  apply<double>(ctx, {.interpolation = Interpolation::kernel, .fill = -7, .kernel = {.order = 2}},
                grid, chain, moving,
                [&](std::span<const double> v) { got.assign(v.begin(), v.end()); });
  EXPECT_EQ(got[20], -7);
}

}  // namespace
}  // namespace ffdp::transforms
