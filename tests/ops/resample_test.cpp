// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/resample/resample.hpp"

#include <cmath>
#include <vector>

#include "tests/support/compare.hpp"
#include "tests/support/fields.hpp"
#include "tests/support/gradient.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"
#include "ffdp/ops/resample/reference.hpp"

namespace ffdp::resample {
namespace {

constexpr float turned[12] = {0.9F, 0.1F, 0, 0.2F, -0.1F, 1.1F, 0.05F, 0.3F, 0, 0.02F, 0.95F, 0.4F};

struct Setting {
  Padding padding;
  Mode mode = Mode::linear;
  bool affine = false;
};

/// Three channels of a [6,7,8] image, sampled on a [5,6,9] grid.
class Resample : public testing::TestWithParam<Setting> {
 protected:
  Box image_box = box_of({6, 7, 8}), out_box = box_of({5, 6, 9});
  Params params{GetParam().padding, GetParam().mode, 3, 3};
  VectorField<float> image = test::make_vector_field(
      image_box, [](int c, int z, int y, int x) { return noise(z, y, x, 1 + c); });
  // Off the whole and half numbers, where the sample has kinks or steps; partly beyond the edge.
  VectorField<float> u = test::make_vector_field(out_box, [](int c, int z, int y, int x) {
    return std::floor(5 * noise(z, y, x, 11 + c)) - 2 + 0.1 + 0.3 * noise(z, y, x, 21 + c);
  });
  VectorField<float> weights = test::make_vector_field(
      out_box, [](int c, int z, int y, int x) { return noise(z, y, x, 31 + c) - 0.4; });
  std::vector<float> affine{turned, turned + 12};
  Context ctx = [] {
    Context c;
    c.threads = 2;
    return c;
  }();

  Inputs<float> inputs() const {
    return {image.view(), u.view(), GetParam().affine ? affine.data() : nullptr};
  }
  double loss() const {
    double sum = 0;
    for (int c = 0; c < 3; ++c)
      test::for_each_voxel(out_box, [&](int z, int y, int x) {
        sum += double(weights.view()[c](z, y, x)) *
               reference::sample(params, image_box, inputs(), c, z, y, x);
      });
    return sum;
  }
};
INSTANTIATE_TEST_SUITE_P(Settings, Resample,
                         testing::Values(Setting{Padding::zeros}, Setting{Padding::border},
                                         Setting{Padding::zeros, Mode::linear, true},
                                         Setting{Padding::border, Mode::linear, true},
                                         Setting{Padding::zeros, Mode::nearest},
                                         Setting{Padding::border, Mode::nearest}));

TEST_P(Resample, ValueMatchesReference) {
  VectorField<float> out(Backend::cpu, out_box);
  forward<float>(ctx, params, image_box, out_box, inputs(), Into::overwrite, out);
  std::vector<double> want;
  for (int c = 0; c < 3; ++c)
    test::for_each_voxel(out_box, [&](int z, int y, int x) {
      want.push_back(reference::sample(params, image_box, inputs(), c, z, y, x));
    });
  EXPECT_LT(test::compare(test::values(out.view(), out_box), want).relative_max, 1e-5);
}

TEST_P(Resample, GradientsMatchFiniteDifferencesOfReference) {
  VectorField<float> grad_image(Backend::cpu, image_box), grad_u(Backend::cpu, out_box);
  std::fill(grad_image.begin(), grad_image.end(), 0.0F);
  double grad_affine[12] = {};
  backward<float>(ctx, params, image_box, out_box, inputs(), weights.view(),
                  {grad_image, grad_u, Into::overwrite, grad_affine});
  std::vector<double> got, want, got_u, want_u, got_a, want_a;
  for (int c = 0; c < 3; ++c)
    for (const auto& [z, y, x] : test::sampled_voxels(image_box, 4)) {
      got.push_back(double(grad_image.view()[c](z, y, x)));
      want.push_back(
          test::central_difference(image.view()[c](z, y, x), 0.5F, [&] { return loss(); }));
    }
  test::expect_gradient(got, want, 1e-5);
  if (params.mode == Mode::nearest) return;
  for (int c = 0; c < 3; ++c)
    for (const auto& [z, y, x] : test::sampled_voxels(out_box, 4)) {
      got_u.push_back(double(grad_u.view()[c](z, y, x)));
      want_u.push_back(
          test::central_difference(u.view()[c](z, y, x), 1e-3F, [&] { return loss(); }));
    }
  if (!GetParam().affine) return test::expect_gradient(got_u, want_u, 1e-3);
  test::expect_gradient(got_u, want_u, 0.15);  // the affine brings some samples next to kinks
  for (int i = 0; i < 12; ++i) {
    got_a.push_back(grad_affine[i]);
    want_a.push_back(test::central_difference(affine[i], 1e-4F, [&] { return loss(); }));
  }
  test::expect_gradient(got_a, want_a, 0.05);
}

TEST_P(Resample, ShardsOfTheOutputAndOfTheImageAddUp) {
  VectorField<float> want(Backend::cpu, out_box);
  forward<float>(ctx, params, image_box, out_box, inputs(), Into::overwrite, want);
  for (const auto& boxes : test::splits(out_box)) {
    VectorField<float> out(Backend::cpu, out_box);
    for (const Box& box : boxes)
      forward<float>(ctx, params, image_box, box, inputs(), Into::overwrite, out);
    EXPECT_EQ(test::values(out.view(), out_box), test::values(want.view(), out_box));
  }
  for (const auto& boxes : test::splits(image_box)) {
    VectorField<float> out(Backend::cpu, out_box);
    std::fill(out.begin(), out.end(), 0.0F);
    for (const Box& box : boxes) {
      const auto part = test::make_vector_field(
          box, [&](int c, int z, int y, int x) { return image.view()[c](z, y, x); });
      Inputs<float> in = inputs();
      in.image = part.view();
      forward<float>(ctx, params, image_box, out_box, in, Into::add, out);
    }
    EXPECT_LT(test::compare(test::values(out.view(), out_box), test::values(want.view(), out_box))
                  .relative_max,
              1e-6);
  }
}

TEST_P(Resample, GradientsOfShardsOfTheOutputAddUp) {
  struct Found {
    VectorField<float> image, u;
    double affine[12] = {};
  };
  const auto over = [&](const std::vector<Box>& boxes) {
    Found found{VectorField<float>(Backend::cpu, image_box),
                VectorField<float>(Backend::cpu, out_box)};
    std::fill(found.image.begin(), found.image.end(), 0.0F);
    for (const Box& box : boxes)
      backward<float>(ctx, params, image_box, box, inputs(), weights.view(),
                      {found.image, found.u, Into::overwrite, found.affine});
    return found;
  };
  const Found whole = over({out_box});
  for (const auto& boxes : test::splits(out_box)) {
    const Found parts = over(boxes);
    EXPECT_EQ(test::values(parts.u.view(), out_box), test::values(whole.u.view(), out_box));
    EXPECT_LT(test::compare(test::values(parts.image.view(), image_box),
                            test::values(whole.image.view(), image_box))
                  .relative_max,
              1e-6);
    for (int i = 0; i < 12; ++i)
      EXPECT_NEAR(parts.affine[i], whole.affine[i], 1e-9 * (1 + std::abs(whole.affine[i]))) << i;
  }
}

/// A row of eight voxels, and a sample of each, `by` voxels further along x.
struct Row {
  Box box;
  Field<float> image;
  VectorField<float> u;
  Field<float> out{Backend::cpu, box};
  Row(int x, float by)
      : box{{0, 0, x}, {1, 1, x + 8}},
        image(test::make_field(box, [](int, int, int i) { return noise(0, 0, i, 3); })),
        u(test::make_vector_field(box, [=](int c, int, int, int) { return c == 2 ? by : 0.0F; })) {}
  Inputs<float> inputs() const { return {as_vector(image.view()), u.view(), nullptr}; }
  template <class T>
  static VectorView<T> as_vector(View<T> v) {
    return {v.data, v.stored, 0, v.stride_z, v.stride_y};
  }
};

TEST(ResampleRow, TheFractionKeepsItsBitsFarFromTheOrigin) {
  Row row(1000000, 0.3F);
  Context ctx;
  forward(ctx, {}, row.box, row.box, row.inputs(), Into::overwrite, Row::as_vector(row.out.view()));
  for (int x = row.box.lo[2]; x + 1 < row.box.hi[2]; ++x) {
    const double want = 0.7 * row.image.view()(0, 0, x) + 0.3 * row.image.view()(0, 0, x + 1);
    EXPECT_NEAR(row.out.view()(0, 0, x), want, 1e-6) << x;
  }
}

TEST(ResampleRow, WhatNoSampleSeesDoesNotMatter) {
  Row row(0, 40.0F);
  for (float& v : row.image) v = test::nan;
  Field<float> ones = test::make_field(row.box, [](int, int, int) { return 1; });
  VectorField<float> grad(Backend::cpu, row.box);
  Context ctx;
  forward(ctx, {}, row.box, row.box, row.inputs(), Into::overwrite, Row::as_vector(row.out.view()));
  Gradients<float> to;
  to.displacement = grad.view();
  to.into = Into::overwrite;
  backward(ctx, {}, row.box, row.box, row.inputs(), Row::as_vector(std::as_const(ones).view()), to);
  for (float v : row.out) EXPECT_EQ(v, 0);
  for (float v : grad) EXPECT_EQ(v, 0);
}

TEST(ResampleRow, FarBeyondAnEdgeTheBorderIsTheEdge) {
  for (const float by : {-1e9F, 1e9F}) {
    Row row(3, by);
    for (const Mode mode : {Mode::linear, Mode::nearest}) {
      Context ctx;
      forward(ctx, {.padding = Padding::border, .mode = mode}, row.box, row.box, row.inputs(),
              Into::overwrite, Row::as_vector(row.out.view()));
      const float edge = row.image.view()(0, 0, by < 0 ? row.box.lo[2] : row.box.hi[2] - 1);
      for (float v : row.out) EXPECT_EQ(v, edge) << by;
    }
  }
}

TEST(ResampleRow, ASampleOnAVoxelIsThatVoxelAndTheEdgeHasNoSlope) {
  Row row(3, 0);
  const Params border{.padding = Padding::border};
  const Field<float> ones = test::make_field(row.box, [](int, int, int) { return 1; });
  VectorField<float> grad(Backend::cpu, row.box);
  Context ctx;
  forward(ctx, border, row.box, row.box, row.inputs(), Into::overwrite,
          Row::as_vector(row.out.view()));
  Gradients<float> to;
  to.displacement = grad.view();
  to.into = Into::overwrite;
  backward(ctx, border, row.box, row.box, row.inputs(), Row::as_vector(ones.view()), to);
  const auto image = std::as_const(row.image).view();
  for (int x = row.box.lo[2]; x < row.box.hi[2]; ++x) {
    EXPECT_EQ(row.out.view()(0, 0, x), image(0, 0, x)) << x;
    const bool edge = x == row.box.lo[2] || x + 1 == row.box.hi[2];
    EXPECT_EQ(grad.view()[2](0, 0, x), edge ? 0 : image(0, 0, x + 1) - image(0, 0, x)) << x;
  }
}

TEST(ResampleRow, AGradientThatIsNotFiniteStaysWithItsSample) {
  Row row(0, 40.0F);  // all samples lie outside
  const Field<float> wrong = test::make_field(row.box, [](int, int, int) { return test::nan; });
  Field<float> grad = test::make_field(row.box, [](int, int, int) { return 5; });
  Context ctx;
  Gradients<float> to;
  to.image = Row::as_vector(grad.view());
  backward(ctx, {}, row.box, row.box, row.inputs(), Row::as_vector(wrong.view()), to);
  for (float v : grad) EXPECT_EQ(v, 5);
}

TEST(ResamplePlane, TwoComponentsAreThoseAlongYAndX) {
  const Box box = box_of({1, 6, 7});
  const Field<float> image =
      test::make_field(box, [](int, int y, int x) { return noise(0, y, x, 3); });
  const auto u_at = [](int axis, int y, int x) {
    return axis == 0 ? 0.0 : 2 * static_cast<double>(noise(axis, y, x, 4)) - 1;
  };
  const auto run = [&](int axes) {
    const auto u = test::make_vector_field(
        box, [&](int c, int, int y, int x) { return u_at(std::min(c + 3 - axes, 2), y, x); });
    const Params params{.axes = axes};
    const Inputs<float> in{Row::as_vector(image.view()), u.view()};
    Field<float> out(Backend::cpu, box);
    VectorField<float> grad(Backend::cpu, box);
    Context ctx;
    forward(ctx, params, box, box, in, Into::overwrite, Row::as_vector(out.view()));
    Gradients<float> to;
    to.displacement = grad.view();
    to.into = Into::overwrite;
    backward(ctx, params, box, box, in, Row::as_vector(image.view()), to);
    std::vector<std::vector<double>> found{test::values(out.view(), box)};
    for (int c = 3 - axes; c < 3; ++c)
      found.push_back(test::values(grad.view()[c - (3 - axes)], box));
    return found;
  };
  const auto two = run(2), three = run(3);
  EXPECT_EQ(two[0], three[0]);
  EXPECT_EQ(two[1], three[2]);
  EXPECT_EQ(two[2], three[3]);
}

TEST(ResampleRejects, WhatDoesNotFit) {
  const Box box = box_of({4, 4, 4});
  const auto field = test::make_vector_field(box, [](int, int, int, int) { return 0; });
  VectorField<float> out(Backend::cpu, box), small(Backend::cpu, box_of({3, 4, 4}));
  Context ctx;
  const auto run = [&](Params p, VectorView<const float> image, VectorView<const float> u,
                       VectorView<float> to) {
    forward<float>(ctx, p, box, box, {image, u, nullptr}, Into::overwrite, to);
  };
  const Params good{Padding::zeros, Mode::linear, 3, 3};
  EXPECT_NO_THROW(run(good, field.view(), field.view(), out));
  EXPECT_THROW(run({Padding::zeros, Mode::linear, 0, 3}, field.view(), field.view(), out),
               InvalidArgument);
  EXPECT_THROW(run({Padding::zeros, Mode::linear, 3, 2}, field.view(), field.view(), out),
               InvalidArgument);
  EXPECT_THROW(run(good, {}, field.view(), out), InvalidArgument);
  EXPECT_THROW(run(good, field.view(), std::as_const(small).view(), out), InvalidArgument);
  EXPECT_THROW(run(good, field.view(), field.view(), small), InvalidArgument);
}

}  // namespace
}  // namespace ffdp::resample
