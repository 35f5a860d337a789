// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/smooth/smooth.hpp"

#include <cmath>
#include <vector>

#include "tests/support/compare.hpp"
#include "tests/support/context.hpp"
#include "tests/support/fields.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"
#include "ffdp/ops/smooth/reference.hpp"

namespace ffdp::smooth {
namespace {

struct Setting {
  Box domain;
  Vec3 sigma;
};

class Smooth : public testing::TestWithParam<Setting> {
 protected:
  Box domain = GetParam().domain;
  Params params{GetParam().sigma};
  Field<float> image = test::image(domain, 1);

  Field<float> whole(const Field<float>& in) const {
    Context ctx = test::two_threads();
    Field<float> out(Backend::cpu, domain);
    forward(ctx, params, domain, domain, in.view(), out.view());
    return out;
  }
};
INSTANTIATE_TEST_SUITE_P(Settings, Smooth,
                         testing::Values(Setting{Box{{0, 0, 0}, {9, 11, 23}}, {1, 1, 1}},
                                         Setting{Box{{-3, 5, 2}, {4, 12, 21}}, {0.5, 1.7, 0.8}},
                                         Setting{Box{{0, 0, 0}, {1, 17, 33}}, {0, 1.3, 2}},
                                         Setting{Box{{0, 0, 0}, {7, 8, 9}}, {0, 0, 1.2}},
                                         Setting{Box{{0, 0, 0}, {23, 9, 6}}, {1.2, 0.6, 0.5}},
                                         Setting{Box{{0, 0, 0}, {3, 4, 5}},
                                                 {2.5, 2.5, 2.5}}));  // smaller than the taps

TEST_P(Smooth, ValueMatchesReference) {
  std::vector<double> want;
  test::for_each_voxel(domain, [&](int z, int y, int x) {
    want.push_back(reference::smoothed(params.sigma, domain, image.view(), {z, y, x}));
  });
  const auto difference = test::compare(test::values(whole(image).view(), domain), want);
  EXPECT_LT(difference.relative_max, 1e-6) << difference;
}

TEST_P(Smooth, BackwardIsTheAdjointOfForward) {
  const Field<float> y =
      test::make_field(domain, [](int z, int j, int x) { return noise(z, j, x, 5) - 0.5F; });
  Context ctx = test::two_threads();
  Field<float> back(Backend::cpu, domain);
  backward(ctx, params, domain, domain, y.view(), back.view());
  const Field<float> ax = whole(image);
  double ax_y = 0, x_ay = 0, ax_ax = 0, y_y = 0;
  for (std::int64_t i = 0; i < y.size(); ++i) {
    ax_y += static_cast<double>(ax.data()[i]) * static_cast<double>(y.data()[i]);
    x_ay += static_cast<double>(image.data()[i]) * static_cast<double>(back.data()[i]);
    ax_ax += static_cast<double>(ax.data()[i]) * static_cast<double>(ax.data()[i]);
    y_y += static_cast<double>(y.data()[i]) * static_cast<double>(y.data()[i]);
  }
  EXPECT_LT(std::abs(ax_y - x_ay), 1e-6 * std::sqrt(ax_ax * y_y));
  EXPECT_GT(std::abs(ax_y), 1e-5 * std::sqrt(ax_ax * y_y));
}

TEST_P(Smooth, ShardedEqualsWhole) {
  const Field<float> want = whole(image);
  const VectorField<float> u = test::displacement(domain, domain, 3, 4);
  Context ctx = test::two_threads();
  VectorField<float> want_u(Backend::cpu, domain);
  forward(ctx, params, domain, domain, u.view(), want_u.view());
  for (const auto& boxes : test::splits(domain)) {
    Field<float> out(Backend::cpu, domain);
    VectorField<float> out_u(Backend::cpu, domain);
    for (const Box& box : boxes) {
      const Box stored = intersect(grow(box, halo(params)), domain);
      forward(ctx, params, domain, box, test::image(stored, 1).view(), out.view());
      const VectorField<float> shard = test::make_vector_field(
          stored, [&](int c, int z, int y, int x) { return u.view()[c](z, y, x); });
      forward(ctx, params, domain, box, shard.view(), out_u.view());
    }
    EXPECT_EQ(test::values(out.view(), domain), test::values(want.view(), domain));
    EXPECT_EQ(test::values(out_u.view(), domain), test::values(want_u.view(), domain));
  }
}

TEST_P(Smooth, ReadsOnlyItsHalo) {
  const Box compute = test::inner_part(domain);
  Field<float> poisoned = test::image(grow(domain, 3), 1);
  test::poison_outside(poisoned, intersect(grow(compute, halo(params)), domain));
  Context ctx = test::two_threads();
  Field<float> out(Backend::cpu, compute), back(Backend::cpu, compute), all(Backend::cpu, domain);
  forward(ctx, params, domain, compute, poisoned.view(), out.view());
  EXPECT_EQ(test::values(out.view(), compute), test::values(whole(image).view(), compute));
  backward(ctx, params, domain, compute, poisoned.view(), back.view());
  backward(ctx, params, domain, domain, image.view(), all.view());
  EXPECT_EQ(test::values(back.view(), compute), test::values(all.view(), compute));
}

TEST_P(Smooth, VectorsAreSmoothedByComponent) {
  const VectorField<float> u = test::displacement(box_of({99, 99, 99}), domain, 3, 4);
  Context ctx = test::two_threads();
  VectorField<float> out(Backend::cpu, domain);
  forward(ctx, params, domain, domain, u.view(), out.view());
  for (int c = 0; c < 3; ++c) {
    Field<float> one(Backend::cpu, domain);
    forward(ctx, params, domain, domain, u.view()[c], one.view());
    const auto difference =
        test::compare(test::values(out.view()[c], domain), test::values(one.view(), domain));
    EXPECT_LT(difference.relative_max, 1e-6) << difference;
  }
}

/// Smooths the field with damping, as a whole.
VectorField<float> damped(const Params& params, const Box& domain, const VectorField<float>& u) {
  Context ctx = test::two_threads();
  VectorField<float> out(Backend::cpu, domain);
  forward(ctx, params, domain, domain, u.view(), out.view());
  return out;
}

TEST_P(Smooth, DampedFieldMatchesReference) {
  params.damping = 0.3;
  const VectorField<float> u = test::displacement(box_of({99, 99, 99}), domain, 3, 4);
  VectorField<float> want(Backend::cpu, domain);
  test::for_each_voxel(domain, [&](int z, int y, int x) {
    for (int c = 0; c < 3; ++c)
      want.view()[c](z, y, x) =
          static_cast<float>(reference::damped(u.view(), domain, params.damping, c, {z, y, x}));
  });
  const VectorField<float> plain = damped({params.sigma}, domain, want);
  const VectorField<float> got = damped(params, domain, u);
  for (int c = 0; c < 3; ++c) {
    const auto difference =
        test::compare(test::values(got.view()[c], domain), test::values(plain.view()[c], domain));
    EXPECT_LT(difference.relative_max, 2e-6) << difference;
  }
}

TEST_P(Smooth, DampedShardsEqualTheWhole) {
  params.damping = 0.25;
  const VectorField<float> u = test::displacement(domain, domain, 3, 4);
  const VectorField<float> want = damped(params, domain, u);
  Context ctx = test::two_threads();
  for (const auto& boxes : test::splits(domain)) {
    VectorField<float> out(Backend::cpu, domain);
    for (const Box& box : boxes) {
      const VectorField<float> shard =
          test::make_vector_field(intersect(grow(box, halo(params)), domain),
                                  [&](int c, int z, int y, int x) { return u.view()[c](z, y, x); });
      forward(ctx, params, domain, box, shard.view(), out.view());
    }
    EXPECT_EQ(test::values(out.view(), domain), test::values(want.view(), domain));
  }
}

// Inside: a rotation stays, a wave of compression shrinks by 1 - 2 w (1 - cos k), a shear wave
// stays.
TEST(SmoothDamping, TakesChangesOfVolumeAlone) {
  const Box domain = box_of({12, 12, 24});
  const double k = 2 * M_PI / 8, weight = 0.2;
  const auto wave = [&](int component) {
    return test::make_vector_field(domain, [&](int c, int, int, int x) {
      return c == component ? static_cast<float>(std::sin(k * x)) : 0.0F;
    });
  };
  const VectorField<float> rotation = test::make_vector_field(domain, [](int c, int, int y, int x) {
    return static_cast<float>(c == 1 ? x : c == 2 ? -y : 0);
  });
  const Params params{{0, 0, 0}, weight};
  const VectorField<float> turned = damped(params, domain, rotation);
  const VectorField<float> shear = wave(1), sheared = damped(params, domain, shear);
  const VectorField<float> push = wave(2), pushed = damped(params, domain, push);
  const double left = 1 - 2 * weight * (1 - std::cos(k));
  test::for_each_voxel({{1, 1, 1}, {11, 11, 23}}, [&](int z, int y, int x) {
    for (int c = 0; c < 3; ++c) {
      EXPECT_NEAR(turned.view()[c](z, y, x), rotation.view()[c](z, y, x), 1e-6);
      EXPECT_NEAR(sheared.view()[c](z, y, x), shear.view()[c](z, y, x), 1e-6);
      EXPECT_NEAR(pushed.view()[c](z, y, x), left * push.view()[c](z, y, x), 1e-6);
    }
  });
}

TEST(SmoothRejects, DampingOfImagesAndTooMuch) {
  const Box domain = box_of({8, 8, 8});
  const Field<float> image = test::image(domain, 1);
  const VectorField<float> u = test::displacement(domain, domain, 1, 4);
  Field<float> out(Backend::cpu, domain);
  VectorField<float> out_u(Backend::cpu, domain);
  Context ctx = test::two_threads();
  EXPECT_THROW(forward(ctx, {{1, 1, 1}, 0.1}, domain, domain, image.view(), out.view()),
               InvalidArgument);
  EXPECT_THROW(forward(ctx, {{1, 1, 1}, 0.5}, domain, domain, u.view(), out_u.view()),
               InvalidArgument);
}

TEST_P(Smooth, InvariantUnderConstants) {
  const Field<float> flat = test::make_field(domain, [](int, int, int) { return 1000; });
  for (double v : test::values(whole(flat).view(), domain))
    EXPECT_LT(test::relative_error(v, 1000), 5e-7);
}

TEST(SmoothRejects, AViewWithoutHaloAndNegativeSigma) {
  const Box domain = box_of({16, 16, 16}), compute{{5, 5, 5}, {8, 8, 8}};
  const Field<float> image = test::image(grow(compute, 2), 1), full = test::image(domain, 1);
  Field<float> out(Backend::cpu, compute);
  Context ctx = test::two_threads();
  EXPECT_THROW(forward(ctx, {{1, 1, 1}}, domain, compute, image.view(), out.view()),
               InvalidArgument);
  EXPECT_THROW(backward(ctx, {{1, 1, 1}}, domain, compute, image.view(), out.view()),
               InvalidArgument);
  EXPECT_THROW(forward(ctx, {{1, -1, 1}}, domain, compute, full.view(), out.view()),
               InvalidArgument);
  EXPECT_THROW(forward(ctx, {{1, 1, 1}}, domain, domain, full.view(), out.view()), InvalidArgument);
}

}  // namespace
}  // namespace ffdp::smooth
