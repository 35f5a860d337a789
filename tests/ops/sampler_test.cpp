// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/sampler/sampler.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "tests/support/compare.hpp"
#include "tests/support/context.hpp"
#include "tests/support/fields.hpp"
#include "tests/support/gradient.hpp"
#include "tests/support/sparse.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"
#include "ffdp/ops/common/trilinear.hpp"
#include "ffdp/ops/sampler/reference.hpp"

namespace ffdp::sampler {
namespace {

/// A fixed and a moving image of different sizes and an oblique map between them.
struct Case {
  Box domain;
  Params params;
  Field<float> moving;
  VectorField<float> u;
  Field<float> grad;  ///< a cotangent of `warped`

  Case(const Box& fixed_domain, const Box& moving_domain) : domain(fixed_domain) {
    params.moving_domain = moving_domain;
    const bool flat = moving_domain.size(0) == 1;
    params.map.linear = {{{flat ? 1.0 : 0.83, flat ? 0.0 : 0.13, flat ? 0.0 : -0.07},
                          {flat ? 0.0 : -0.11, 0.91, 0.17},
                          {flat ? 0.0 : 0.05, -0.14, 0.87}}};
    params.displacement_map = params.map.linear;
    for (int c = 0; c < 3; ++c) {  // centre to centre, and a bit
      double mapped = 0;
      for (int k = 0; k < 3; ++k)
        mapped += params.map.linear[c][k] * 0.5 * (domain.lo[k] + domain.hi[k] - 1);
      params.map.translation[c] = 0.5 * (moving_domain.lo[c] + moving_domain.hi[c] - 1) - mapped +
                                  (flat && c == 0 ? 0 : 0.3);
    }
    params.outside = 0;
    moving = test::image(moving_domain, 3);
    u = test::displacement(domain, domain, 2.5, 5);
    grad = test::make_field(domain, [](int z, int y, int x) { return noise(z, y, x, 8) - 0.5F; });
  }
  Vec3 u_at(int z, int y, int x) const {
    Vec3 r;
    for (int c = 0; c < 3; ++c) r[c] = static_cast<double>(u.view()[c](z, y, x));
    return r;
  }
  Vec3 q_at(int z, int y, int x) const {
    return reference::position(params, {double(z), double(y), double(x)}, u_at(z, y, x));
  }
  /// A sample on the border between inside and outside may be decided differently in float.
  bool undecided(int z, int y, int x) const {
    const Vec3 q = q_at(z, y, x);
    for (int a = 0; a < 3; ++a) {
      const Box& m = params.moving_domain;
      if (std::abs(q[a] - (m.lo[a] - 0.5)) < 1e-3 || std::abs(q[a] - (m.hi[a] - 0.5)) < 1e-3)
        return true;
    }
    return false;
  }
  double loss() const {
    double sum = 0;
    test::for_each_voxel(domain, [&](int z, int y, int x) {
      const double v = reference::sample(params, moving.view(), {double(z), double(y), double(x)},
                                         u_at(z, y, x));
      if (!std::isnan(v)) sum += v * static_cast<double>(grad.view()(z, y, x));
    });
    return sum;
  }
};

Case make_case(int dimension) {
  if (dimension == 2) return {box_of({1, 23, 37}), Box{{4, 2, -3}, {5, 30, 31}}};
  return {Box{{-2, 0, 3}, {9, 13, 24}}, Box{{1, -4, 0}, {12, 10, 19}}};
}

class Sampler : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Dimensions, Sampler, testing::Values(2, 3));

TEST_P(Sampler, ValueMatchesReference) {
  const Case c = make_case(GetParam());
  Context ctx = test::two_threads();
  Field<float> warped(Backend::cpu, c.domain);
  const std::int64_t outside =
      forward(ctx, c.params, c.domain, c.domain, c.moving, c.u, {}, warped);
  std::vector<double> got, want;
  std::int64_t want_outside = 0, undecided = 0;
  test::for_each_voxel(c.domain, [&](int z, int y, int x) {
    const double v = reference::sample(c.params, c.moving.view(), {double(z), double(y), double(x)},
                                       c.u_at(z, y, x));
    want_outside += std::isnan(v);
    if (c.undecided(z, y, x)) {
      ++undecided;
      return;
    }
    got.push_back(static_cast<double>(warped.view()(z, y, x)));
    want.push_back(std::isnan(v) ? 0 : v);
  });
  const auto difference = test::compare(got, want);
  EXPECT_LT(difference.relative_l2, 3e-6) << difference;
  EXPECT_LE(std::abs(outside - want_outside), undecided);
  EXPECT_GT(outside, 0);
  EXPECT_GT(c.domain.volume(), 2 * outside);
}

TEST_P(Sampler, GradientToUMatchesFiniteDifferencesOfReference) {
  Case c = make_case(GetParam());
  Context ctx = test::two_threads();
  VectorField<float> grad_u =
      test::make_vector_field(c.domain, [](int, int, int, int) { return 0; });
  backward_displacement(ctx, c.params, c.domain, c.domain, c.moving, c.u, c.grad, {grad_u, 2});
  std::vector<double> got, want;
  for (const Int3& at : test::sampled_voxels(c.domain, 200)) {
    const auto [z, y, x] = at;
    const Vec3 q = c.q_at(z, y, x);
    bool kink = c.undecided(z, y, x);
    for (double value : q) kink = kink || std::abs(value - std::round(value)) < 5e-3;
    if (kink && GetParam() == 3) continue;
    for (int axis = GetParam() == 2 ? 1 : 0; axis < 3; ++axis) {
      const double slope = test::central_difference(c.u.view()[axis](z, y, x), 1e-3F, [&] {
        const double v = reference::sample(c.params, c.moving.view(),
                                           {double(z), double(y), double(x)}, c.u_at(z, y, x));
        return std::isnan(v) ? 0 : 2 * v * static_cast<double>(c.grad.view()(z, y, x));
      });
      if (GetParam() == 2 &&
          (std::abs(q[1] - std::round(q[1])) < 5e-3 || std::abs(q[2] - std::round(q[2])) < 5e-3))
        continue;
      got.push_back(static_cast<double>(grad_u.view()[axis](z, y, x)));
      want.push_back(slope);
    }
  }
  EXPECT_GT(got.size(), 100U);
  test::expect_gradient(got, want, 1e-4);
}

TEST_P(Sampler, GradientToTheMapMatchesFiniteDifferencesOfReference) {
  Case c = make_case(GetParam());
  c.u = test::displacement(c.domain, c.domain, 0.5, 5);
  Context ctx = test::two_threads();
  const AffineGradient g =
      backward_affine(ctx, c.params, c.domain, c.domain, c.moving, c.u, c.grad).total();
  std::vector<double> got, want;
  const auto slope = [&](double& parameter) {
    const double h = 1e-6, kept = parameter;
    parameter = kept + h;
    const double above = c.loss();
    parameter = kept - h;
    const double below = c.loss();
    parameter = kept;
    return (above - below) / (2 * h);
  };
  for (int row = GetParam() == 2 ? 1 : 0; row < 3; ++row) {
    got.push_back(g.translation[row]);
    want.push_back(slope(c.params.map.translation[row]));
    for (int k = 0; k < 3; ++k) {
      got.push_back(g.map[row][k]);
      want.push_back(slope(c.params.map.linear[row][k]));
    }
  }
  test::expect_gradient(got, want, 1e-4);
}

TEST_P(Sampler, GradientToTheImageIsTheAdjointOfForward) {
  const Case c = make_case(GetParam());
  Context ctx = test::two_threads();
  Field<float> warped(Backend::cpu, c.domain);
  forward(ctx, c.params, c.domain, c.domain, c.moving, c.u, {}, warped);
  Field<float> grad_moving =
      test::make_field(c.params.moving_domain, [](int, int, int) { return 0; });
  backward_moving(ctx, c.params, c.domain, c.domain, c.u, c.grad, grad_moving);
  const auto dot = [](const Field<float>& a, const Field<float>& b) {
    double sum = 0;
    for (std::int64_t i = 0; i < a.size(); ++i)
      sum += static_cast<double>(a.data()[i]) * static_cast<double>(b.data()[i]);
    return sum;
  };
  const double scale = std::sqrt(dot(warped, warped) * dot(c.grad, c.grad));
  EXPECT_LT(std::abs(dot(warped, c.grad) - dot(c.moving, grad_moving)), 1e-6 * scale);
  EXPECT_GT(dot(grad_moving, grad_moving), 0.1);
}

TEST_P(Sampler, ShardedEqualsWhole) {
  const Case c = make_case(GetParam());
  Context ctx = test::two_threads();
  const auto zeros = [&] {
    return test::make_vector_field(c.domain, [](int, int, int, int) { return 0; });
  };
  Field<float> whole(Backend::cpu, c.domain);
  VectorField<float> whole_u = zeros();
  const auto outside = forward(ctx, c.params, c.domain, c.domain, c.moving, c.u, {}, whole);
  backward_displacement(ctx, c.params, c.domain, c.domain, c.moving, c.u, c.grad, {whole_u, 1});
  const auto g = backward_affine(ctx, c.params, c.domain, c.domain, c.moving, c.u, c.grad).total();
  for (const auto& boxes : test::splits(c.domain)) {
    Field<float> out(Backend::cpu, c.domain);
    VectorField<float> grad_u = zeros();
    std::int64_t sum = 0;
    AffineGradient total;
    for (const Box& box : boxes) {
      const VectorField<float> shard = test::make_vector_field(
          box, [&](int a, int z, int y, int x) { return c.u.view()[a](z, y, x); });
      sum += forward(ctx, c.params, c.domain, box, c.moving, shard, {}, out);
      backward_displacement(ctx, c.params, c.domain, box, c.moving, shard, c.grad, {grad_u, 1});
      total += backward_affine(ctx, c.params, c.domain, box, c.moving, shard, c.grad).total();
    }
    EXPECT_EQ(test::values(out.view(), c.domain), test::values(whole.view(), c.domain));
    EXPECT_EQ(test::values(grad_u.view(), c.domain), test::values(whole_u.view(), c.domain));
    EXPECT_EQ(sum, outside);
    for (int r = 0; r < 3; ++r) EXPECT_LT(test::compare(total.map[r], g.map[r]).relative_l2, 1e-9);
  }
}

TEST_P(Sampler, ReadsOnlyItsHalo) {
  const Case c = make_case(GetParam());
  const Box compute = test::inner_part(c.domain);
  Context ctx = test::two_threads();
  VectorField<float> u = test::displacement(c.domain, c.domain, 2.5, 5);
  test::poison_outside(u, compute);
  Field<float> moving = test::image(grow(c.params.moving_domain, 2), 3);
  test::poison_outside(moving, c.params.moving_domain);
  Field<float> out(Backend::cpu, compute), whole(Backend::cpu, c.domain);
  forward(ctx, c.params, c.domain, compute, moving, u, {}, out);
  forward(ctx, c.params, c.domain, c.domain, c.moving, c.u, {}, whole);
  EXPECT_EQ(test::values(out.view(), compute), test::values(whole.view(), compute));
  VectorField<float> grad_u =
      test::make_vector_field(compute, [](int, int, int, int) { return 0; });
  backward_displacement(ctx, c.params, c.domain, compute, moving, u, c.grad, {grad_u, 1});
  for (float g : grad_u) EXPECT_TRUE(std::isfinite(g));
}

/// A sample counts if its corners are stored; nothing beside what is stored is ever read, not even
/// for samples that do not count.
TEST_P(Sampler, ReadsOnlyWhatIsStored) {
  const Case c = make_case(GetParam());
  const Box& all = c.params.moving_domain;
  Context ctx = test::two_threads();
  const std::vector<Box> parts = test::splits(all)[4];
  for (const Box& part : parts) {
    // NaN everywhere but in the part: a sample that reads beside it becomes NaN. Such samples are
    // expected to be outside below.
    Field<float> poisoned = test::image(all, 3);
    test::poison_outside(poisoned, part);
    // The part alone, in a buffer with other values around it.
    Field<float> buffer = test::make_field(grow(all, 9), [](int, int, int) { return 1e6; });
    test::for_each_voxel(
        part, [&](int z, int y, int x) { buffer.view()(z, y, x) = c.moving.view()(z, y, x); });
    const View<float> around = buffer.view();
    const View<const float> alone{&around(part.lo[0], part.lo[1], part.lo[2]), part,
                                  around.stride_z, around.stride_y};
    Field<float> want(Backend::cpu, c.domain), got(Backend::cpu, c.domain);
    const auto outside = forward(ctx, c.params, c.domain, c.domain, poisoned, c.u, {}, want);
    EXPECT_LT(outside, c.domain.volume());
    EXPECT_EQ(forward(ctx, c.params, c.domain, c.domain, alone, c.u, {}, got), outside);
    EXPECT_EQ(test::values(got.view(), c.domain), test::values(want.view(), c.domain));
    VectorField<float> want_u(Backend::cpu, c.domain), got_u(Backend::cpu, c.domain);
    const auto to_u = [&](const View<const float>& moving, VectorField<float>& grad_u) {
      backward_displacement(ctx, c.params, c.domain, c.domain, moving, c.u, c.grad,
                            {grad_u, 1, Into::overwrite});
    };
    to_u(poisoned, want_u);
    to_u(alone, got_u);
    for (float& value : want_u) value = std::isnan(value) ? 0 : value;
    EXPECT_EQ(test::values(got_u.view(), c.domain), test::values(want_u.view(), c.domain));
  }
}

/// A turn by 60 degrees about the x axis, so that every part is reached from everywhere.
void turn(Params& p, const Box& domain) {
  const double c = 0.5, s = std::sqrt(0.75);
  p.map.linear = {{{0.93 * c, 0.91 * s, 0.03}, {-0.92 * s, 0.94 * c, -0.02}, {0.01, -0.04, 0.97}}};
  for (int a = 0; a < 3; ++a) {
    p.map.translation[a] = 0.5 * (p.moving_domain.lo[a] + p.moving_domain.hi[a] - 1) + 0.21;
    for (int k = 0; k < 3; ++k)
      p.map.translation[a] -= p.map.linear[a][k] * 0.5 * (domain.lo[k] + domain.hi[k] - 1);
  }
  p.displacement_map = p.map.linear;
}

/// Parts of a few planes, which overlap by one, in descending order.
std::vector<Box> overlapping_parts(const Box& domain, int count) {
  std::vector<Box> parts;
  for (int i = count - 1; i >= 0; --i) {
    Box part = domain;
    part.lo[0] = domain.lo[0] + i * domain.size(0) / count;
    part.hi[0] = std::min(domain.lo[0] + (i + 1) * domain.size(0) / count + 1, domain.hi[0]);
    parts.push_back(part);
  }
  return parts;
}

TEST(SamplerParts, OneAfterTheOtherGiveTheBitsOfTheWhole) {
  // Rows are walked in three pieces; the indices of the planes are those of the middle one.
  Case c({{-20, 0, -60}, {-9, 13, 30}}, {{1, -4, 0}, {12, 10, 85}});
  turn(c.params, c.domain);
  Context ctx = test::two_threads();
  const auto fixed_mask = test::make_field<std::uint8_t>(
      c.domain, [](int z, int y, int x) { return noise(z, y, x, 4) < 0.8F; });
  const auto mask_at = [](int z, int y, int x) { return noise(z, y, x, 6) < 0.8F; };
  const auto moving_mask = test::make_field<std::uint8_t>(c.params.moving_domain, mask_at);
  for (const bool masked : {false, true})
    for (const float outside : {test::nan, -1.0F}) {
      c.params.outside = outside;
      const auto masks = [&](const Field<std::uint8_t>& moving) {
        return masked ? Masks{fixed_mask.view(), moving.view()} : Masks{};
      };
      Field<float> whole(Backend::cpu, c.domain);
      const std::int64_t missing =
          forward(ctx, c.params, c.domain, c.domain, c.moving, c.u, masks(moving_mask), whole);
      EXPECT_GT(missing, 0);
      EXPECT_LT(missing, c.domain.volume() * 3 / 4);
      VectorField<float> whole_u(Backend::cpu, c.domain);
      for (const Into into : {Into::overwrite, Into::add})
        backward_displacement(ctx, c.params, c.domain, c.domain, c.moving, c.u, c.grad,
                              {whole_u, 0.7F, into});
      for (const int count : {1, 2, 3, 4, 6}) {
        Field<float> got = test::make_field(c.domain, [](int, int, int) { return 1e6; });
        VectorField<float> slopes(Backend::cpu, c.domain), got_u(Backend::cpu, c.domain);
        for (const Box& box : overlapping_parts(c.params.moving_domain, count)) {
          const Field<float> part =
              test::make_field(box, [&](int z, int y, int x) { return c.moving.view()(z, y, x); });
          const auto part_mask = test::make_field<std::uint8_t>(box, mask_at);
          forward_part(ctx, c.params, c.domain, c.domain, part, c.u, masks(part_mask),
                       {got, slopes});
        }
        for (const Into into : {Into::overwrite, Into::add})
          backward_slopes(ctx, c.params, c.domain, c.domain, slopes, c.grad, {got_u, 0.7F, into});
        const auto same = [](const auto& a, const auto& b) {
          return std::memcmp(a.data(), b.data(), (a.end() - a.begin()) * sizeof(float)) == 0;
        };
        EXPECT_TRUE(same(got, whole)) << count << " parts, masks " << masked;
        EXPECT_TRUE(same(got_u, whole_u)) << count << " parts, masks " << masked;
      }
    }
}

/// Without room for slopes, values alone.
TEST(SamplerParts, GiveValuesAlone) {
  const Case c = make_case(3);
  Context ctx = test::two_threads();
  Field<float> whole(Backend::cpu, c.domain), got(Backend::cpu, c.domain);
  forward(ctx, c.params, c.domain, c.domain, c.moving, c.u, {}, whole);
  forward_part(ctx, c.params, c.domain, c.domain, c.moving, c.u, {}, {got, {}});
  EXPECT_EQ(test::values(got.view(), c.domain), test::values(whole.view(), c.domain));
  VectorField<float> small(Backend::cpu, test::inner_part(c.domain));
  EXPECT_THROW(forward_part(ctx, c.params, c.domain, c.domain, c.moving, c.u, {}, {got, small}),
               InvalidArgument);
}

TEST_P(Sampler, MasksOnlyTakeSamplesAway) {
  const Case c = make_case(GetParam());
  const auto fixed = test::make_field<std::uint8_t>(
      c.domain, [](int z, int y, int x) { return noise(z, y, x, 4) < 0.7F; });
  const auto moving = test::make_field<std::uint8_t>(
      c.params.moving_domain, [](int z, int y, int x) { return noise(z, y, x, 6) < 0.7F; });
  Context ctx = test::two_threads();
  Params params = c.params;
  params.outside = test::nan;
  Field<float> plain(Backend::cpu, c.domain), masked(Backend::cpu, c.domain);
  forward(ctx, params, c.domain, c.domain, c.moving, c.u, {}, plain);
  const std::int64_t outside = forward(ctx, params, c.domain, c.domain, c.moving, c.u,
                                       {fixed.view(), moving.view()}, masked);
  std::int64_t missing = 0, wrong = 0;
  test::for_each_voxel(c.domain, [&](int z, int y, int x) {
    const float m = masked.view()(z, y, x), p = plain.view()(z, y, x);
    missing += std::isnan(m);
    const Vec3 q = c.q_at(z, y, x);
    bool kept = fixed.view()(z, y, x) != 0 && !std::isnan(p), tie = false;
    Int3 n{};
    for (int a = 0; a < 3; ++a) {
      n[a] = std::clamp(static_cast<int>(std::floor(q[a] + 0.5)), params.moving_domain.lo[a],
                        params.moving_domain.hi[a] - 1);
      tie = tie || std::abs(q[a] + 0.5 - std::round(q[a] + 0.5)) < 1e-3;
    }
    kept = kept && moving.view()(n[0], n[1], n[2]) != 0;
    if (!tie) wrong += kept ? m != p : !std::isnan(m);
  });
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(missing, outside);
}

TEST_P(Sampler, InvariantUnderTheIdentity) {
  const Case c = make_case(GetParam());
  Params params;
  params.moving_domain = c.params.moving_domain;
  params.displacement_map = params.map.linear;
  Context ctx = test::two_threads();
  const Box domain = params.moving_domain;
  Field<float> warped(Backend::cpu, domain);
  EXPECT_EQ(forward(ctx, params, domain, domain, c.moving, {}, {}, warped), 0);
  const auto difference = test::compare(warped, c.moving);
  EXPECT_LT(difference.relative_max, 2e-7) << difference;
}

/// Far from 0, where a row of zeros that begins at the wrong x is far from its memory.
TEST(SamplerWithoutDisplacement, GivesTheBitsOfZeroDisplacement) {
  constexpr int far = 1000000;
  Case c({{0, 0, far}, {3, 4, far + 9}}, box_of({3, 4, 9}));
  c.params.map = {};
  c.params.map.translation = {0.25, -0.5, 0.5 - far};
  c.params.displacement_map = c.params.map.linear;
  c.u = test::make_vector_field(c.domain, [](int, int, int, int) { return 0; });
  Context ctx = test::two_threads();
  const auto outcome = [&](VectorView<const float> u) {
    Field<float> warped(Backend::cpu, c.domain), part(Backend::cpu, c.domain);
    VectorField<float> slopes(Backend::cpu, c.domain), grad_u(Backend::cpu, c.domain);
    Field<float> to_moving =
        test::make_field(c.params.moving_domain, [](int, int, int) { return 0; });
    forward(ctx, c.params, c.domain, c.domain, c.moving, u, {}, warped);
    forward_part(ctx, c.params, c.domain, c.domain, c.moving, u, {}, {part, slopes});
    backward_displacement(ctx, c.params, c.domain, c.domain, c.moving, u, c.grad,
                          {grad_u, 1, Into::overwrite});
    backward_moving(ctx, c.params, c.domain, c.domain, u, c.grad, to_moving);
    const auto g = backward_affine(ctx, c.params, c.domain, c.domain, c.moving, u, c.grad).total();
    std::vector<double> all(g.translation.begin(), g.translation.end());
    const auto append = [&](const auto& values) {
      all.insert(all.end(), values.begin(), values.end());
    };
    for (const auto& row : g.map) append(row);
    append(test::values(warped.view(), c.domain));
    append(test::values(part.view(), c.domain));
    append(test::values(slopes.view(), c.domain));
    append(test::values(grad_u.view(), c.domain));
    append(test::values(to_moving.view(), c.params.moving_domain));
    return all;
  };
  const auto want = outcome(c.u);
  EXPECT_GT(test::compare(want, std::vector<double>(want.size(), 0)).relative_l2, 1);
  EXPECT_EQ(outcome({}), want);
}

/// On a voxel, the slope is that towards the upper neighbour, at the last voxel that from the
/// lower one. A value needs no neighbour.
TEST(SamplerOnVoxels, HasSlopesAndNeedsNoNeighbourForValues) {
  const Box domain = box_of({4, 5, 6});
  const Field<float> moving = test::image(domain, 3);
  Params params;
  params.moving_domain = domain;
  params.displacement_map = params.map.linear;
  Context ctx;
  const auto ones = test::make_field(domain, [](int, int, int) { return 1; });
  VectorField<float> grad(Backend::cpu, domain);
  backward_displacement(ctx, params, domain, domain, moving, {}, ones, {grad, 1, Into::overwrite});
  for (int a = 0; a < 3; ++a)
    test::for_each_voxel(domain, [&](int z, int y, int x) {
      Int3 lower{z, y, x};
      lower[a] = std::min(lower[a], domain.hi[a] - 2);
      Int3 upper = lower;
      ++upper[a];
      const float slope =
          moving.view()(upper[0], upper[1], upper[2]) - moving.view()(lower[0], lower[1], lower[2]);
      EXPECT_EQ(grad.view()[a](z, y, x), slope);
    });
  const Box inner{{1, 1, 1}, {3, 4, 5}};
  Field<float> warped(Backend::cpu, inner);
  const auto part =
      test::make_field(inner, [&](int z, int y, int x) { return moving.view()(z, y, x); });
  EXPECT_EQ(forward(ctx, params, domain, inner, part, {}, {}, warped), 0);
  EXPECT_EQ(test::values(warped.view(), inner), test::values(moving.view(), inner));
}

/// Whatever lies beside an axis of one voxel.
TEST(SamplerOnVoxels, ReadsNothingBesideAnAxisOfOneVoxel) {
  const Box domain = box_of({4, 5, 6});
  Context ctx;
  for (int a = 0; a < 3; ++a) {
    Box thin = domain;
    thin.lo[a] = 1;
    thin.hi[a] = 2;
    Field<float> moving = test::image(domain, 3), warped(Backend::cpu, thin);
    const auto want = test::values(moving.view(), thin);
    test::poison_outside(moving, thin);
    Params params;
    params.moving_domain = thin;
    params.displacement_map = params.map.linear;
    EXPECT_EQ(forward(ctx, params, thin, thin, moving, {}, {}, warped), 0);
    EXPECT_EQ(test::values(warped.view(), thin), want);
  }
}

TEST(SamplerMasks, AreReadAtTheUpperOfTwoNearestVoxels) {
  const Box domain = box_of({1, 1, 4}), moving_domain = box_of({1, 1, 5});
  const auto moving = test::make_field(moving_domain, [](int, int, int x) { return x; });
  const auto mask =
      test::make_field<std::uint8_t>(moving_domain, [](int, int, int x) { return x != 2; });
  Params params;
  params.moving_domain = moving_domain;
  params.outside = -1;
  params.map.translation[2] = 0.5;
  Field<float> warped(Backend::cpu, domain);
  Context ctx;
  EXPECT_EQ(forward(ctx, params, domain, domain, moving, {}, {{}, mask.view()}, warped), 1);
  EXPECT_EQ(test::values(warped.view(), domain), (std::vector<double>{0.5, -1, 2.5, 3.5}));
}

/// Offsets beyond 2^31, in memory of which only the pages that are used exist.
TEST(SamplerOf, AnImageOfMoreThanTwoToThe31Voxels) {
  const Box domain = box_of({4, 2, 2});
  constexpr std::int64_t plane = std::int64_t{1} << 30;
  const test::SparseFloats memory(4 * plane);
  const View<float> moving{memory.data(), domain, plane, 2};
  const Field<float> image = test::image(domain, 3);
  test::for_each_voxel(domain,
                       [&](int z, int y, int x) { moving(z, y, x) = image.view()(z, y, x); });
  Params params;
  params.moving_domain = domain;
  Field<float> warped(Backend::cpu, domain);
  Context ctx;
  EXPECT_EQ(forward(ctx, params, domain, domain, View<const float>(moving), {}, {}, warped), 0);
  EXPECT_EQ(test::values(warped.view(), domain), test::values(image.view(), domain));
}

TEST(AxisCell, HoldsItsLowerEdgeAndHasASlopeFromTheFirstVoxelToTheLast) {
  EXPECT_TRUE(axis_cell(1.5F, 2, 7).inside);
  EXPECT_FALSE(axis_cell(std::nextafter(1.5F, 0.0F), 2, 7).inside);
  EXPECT_TRUE(axis_cell(std::nextafter(6.5F, 0.0F), 2, 7).inside);
  EXPECT_FALSE(axis_cell(6.5F, 2, 7).inside);
  for (const float q : {2.0F, 6.0F}) EXPECT_FALSE(axis_cell(q, 2, 7).clamped);
  for (const float q : {1.99F, 6.01F}) EXPECT_TRUE(axis_cell(q, 2, 7).clamped);
  EXPECT_TRUE(axis_cell(4, 4, 5).clamped);  // across one plane
}

TEST(SamplerRejects, WhatIsMissingOrNotFinite) {
  Case c = make_case(3);
  Context ctx = test::two_threads();
  Field<float> out(Backend::cpu, c.domain), small(Backend::cpu, test::inner_part(c.domain));
  EXPECT_THROW(forward(ctx, c.params, c.domain, c.domain, {}, c.u, {}, out), InvalidArgument);
  EXPECT_THROW(forward(ctx, c.params, c.domain, c.domain, c.moving, c.u, {}, small),
               InvalidArgument);
  const VectorField<float> u = test::displacement(c.domain, test::inner_part(c.domain), 1, 1);
  EXPECT_THROW(forward(ctx, c.params, c.domain, c.domain, c.moving, u, {}, out), InvalidArgument);
  c.params.map.translation[1] = HUGE_VAL;
  EXPECT_THROW(forward(ctx, c.params, c.domain, c.domain, c.moving, c.u, {}, out), InvalidArgument);
}

}  // namespace
}  // namespace ffdp::sampler
