// SPDX-License-Identifier: Apache-2.0
// Every op on both backends: the same numbers within 1e-5, and the same bits at two runs.
#include <vector>

#include "tests/support/compare.hpp"
#include "tests/support/device.hpp"
#include "tests/support/fields.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/copy.hpp"
#include "ffdp/core/error.hpp"
#include "ffdp/ops/compose/compose.hpp"
#include "ffdp/ops/descent/descent.hpp"
#include "ffdp/ops/gc/gc.hpp"
#include "ffdp/ops/intensity/intensity.hpp"
#include "ffdp/ops/invert/invert.hpp"
#include "ffdp/ops/jacobian/jacobian.hpp"
#include "ffdp/ops/lncc/lncc.hpp"
#include "ffdp/ops/mi/mi.hpp"
#include "ffdp/ops/mse/mse.hpp"
#include "ffdp/ops/points/points.hpp"
#include "ffdp/ops/resize/resize.hpp"
#include "ffdp/ops/sampler/sampler.hpp"
#include "ffdp/ops/slopes/slopes.hpp"
#include "ffdp/ops/smooth/smooth.hpp"
#include "ffdp/ops/soft_bins/soft_bins.hpp"
#include "ffdp/ops/spline/spline.hpp"
#include "ffdp/ops/vectors/vectors.hpp"

namespace ffdp {
namespace {

struct Result {
  std::vector<double> field, numbers;
  friend bool operator==(const Result&, const Result&) = default;
};

/// One backend: takes inputs from the host and brings results back.
class Side {
 public:
  explicit Side(Backend backend) { ctx.backend = backend; }
  Context ctx;

  template <class AnyField>
  AnyField in(const AnyField& host) const {
    return copy_to(ctx, ctx.backend, host);
  }
  Field<float> room(const Box& box) const { return Field<float>(ctx.backend, box); }
  VectorField<float> vector_room(const Box& box) const {
    return VectorField<float>(ctx.backend, box);
  }
  template <class AnyField>
  void out(const AnyField& field, Result& result) const {
    const AnyField host = copy_to(ctx, Backend::cpu, field);
    result.field.insert(result.field.end(), host.begin(), host.end());
  }
};

/// One value in memory of the backend, at first all zero.
template <class T>
class There {
 public:
  There(const Side& side, std::size_t count) : side_(side), buffer_(side.ctx.backend, count) {
    const std::vector<T> zero(count);
    copy_bytes(side.ctx, side.ctx.backend, buffer_.data(), Backend::cpu, zero.data(),
               count * sizeof(T));
  }
  T* data() const { return buffer_.data(); }
  std::vector<T> values() const {
    std::vector<T> r(buffer_.size());
    copy_bytes(side_.ctx, Backend::cpu, r.data(), side_.ctx.backend, buffer_.data(),
               r.size() * sizeof(T));
    return r;
  }

 private:
  const Side& side_;
  Buffer<T> buffer_;
};

template <class Run>
void expect_same(Run&& run, double tolerance = 1e-5) {
  Side cpu(Backend::cpu), cuda(Backend::cuda);
  const Result want = run(cpu), got = run(cuda), again = run(cuda);
  ASSERT_EQ(got.field.size(), want.field.size());
  const auto difference = test::compare(got.field, want.field);
  EXPECT_LT(difference.relative_l2, tolerance) << difference;
  for (std::size_t i = 0; i < want.numbers.size(); ++i)
    EXPECT_LT(test::relative_error(got.numbers[i], want.numbers[i]), 1e-5) << "number " << i;
  EXPECT_TRUE(got == again) << "two runs differ";
}

struct Boxes {
  Box domain, compute;
};

class CudaMatchesCpu : public testing::TestWithParam<Boxes> {
 protected:
  void SetUp() override { test::has_device(); }
  Box domain = GetParam().domain, compute = GetParam().compute;

  /// Stored over the domain, NaN where an op with this halo must not look.
  Field<float> image(std::uint32_t seed, const Int3& halo) const {
    Field<float> field = test::image(domain, seed);
    test::poison_outside(field, intersect(grow(compute, halo), domain));
    return field;
  }
  Field<float> image(std::uint32_t seed, int halo) const {
    return image(seed, Int3{halo, halo, halo});
  }
  VectorField<float> displacement(double amplitude, std::uint32_t seed, const Int3& halo) const {
    VectorField<float> field = test::displacement(domain, domain, amplitude, seed);
    test::poison_outside(field, intersect(grow(compute, halo), domain));
    return field;
  }
  VectorField<float> displacement(double amplitude, std::uint32_t seed, int halo) const {
    return displacement(amplitude, seed, Int3{halo, halo, halo});
  }
};
INSTANTIATE_TEST_SUITE_P(Boxes, CudaMatchesCpu,
                         testing::Values(Boxes{box_of({9, 11, 23}), box_of({9, 11, 23})},
                                         Boxes{box_of({33, 41, 150}), box_of({33, 41, 150})},
                                         Boxes{box_of({33, 41, 151}), box_of({33, 41, 151})},
                                         Boxes{box_of({34, 40, 152}), box_of({34, 40, 152})},
                                         Boxes{{{-3, 5, 2}, {34, 42, 80}},
                                               {{7, 9, 11}, {20, 31, 74}}},
                                         Boxes{box_of({1, 37, 70}), box_of({1, 37, 70})},
                                         Boxes{box_of({40, 1, 12}), {{0, 0, 0}, {13, 1, 12}}},
                                         Boxes{box_of({3, 4, 5}), box_of({3, 4, 5})},
                                         // small, and yet enough for tiles of 16 rows in LNCC
                                         Boxes{box_of({17, 18, 36}), box_of({17, 18, 36})}));

TEST_P(CudaMatchesCpu, Mse) {
  const auto f = image(1, 0), m = image(5, 0);
  expect_same([&](Side& s) {
    Result r;
    Field<float> grad = s.room(compute);
    const auto sum = mse::forward_backward(s.ctx, {}, domain, compute, {s.in(f), s.in(m)}, grad);
    r.numbers = {sum.value, sum.weight};
    s.out(grad, r);
    return r;
  });
}

/// Two slabs of planes; one where there is but one plane.
std::vector<Box> slabs(const Box& box) {
  Box low = box, high = box;
  low.hi[0] = high.lo[0] = box.lo[0] + (box.size(0) + 1) / 3;
  if (low.empty() || high.empty()) return {box};
  return {low, high};
}

TEST_P(CudaMatchesCpu, SumsThatStayOnTheBackend) {
  const auto f = image(1, lncc::halo({})), m = image(5, lncc::halo({}));
  expect_same([&](Side& s) {
    Result r;
    const auto fixed = s.in(f), moving = s.in(m);
    auto grad = s.room(compute), grad_mse = s.room(compute), grad_mi = s.room(compute);
    const There<MetricSum> sum(s, 2), result(s, 2);
    mi::Params p;
    p.fixed_hi = p.moving_hi = 0.9F;
    const There<std::int64_t> counts(s, std::size_t{32} * 32 + 1);
    const There<float> derivative(s, std::size_t{32} * 32);
    auto grad_gc = s.room(compute);
    const There<std::int64_t> gc_sums(s, 6);
    const There<float> slope(s, 3);
    for (const Box& slab : slabs(compute)) {
      lncc::forward_backward(s.ctx, {}, domain, slab, {fixed, moving}, grad, {}, sum.data());
      mse::forward_backward(s.ctx, {}, domain, slab, {fixed, moving}, grad_mse, sum.data() + 1);
      mi::accumulate(s.ctx, p, domain, slab, {fixed, moving}, counts.data());
      gc::accumulate(s.ctx, {}, domain, slab, {fixed, moving}, gc_sums.data());
    }
    mi::evaluate(s.ctx, p, counts.data(), derivative.data(), result.data());
    gc::evaluate(s.ctx, {}, gc_sums.data(), slope.data(), result.data() + 1);
    for (const Box& slab : slabs(compute)) {
      mi::backward(s.ctx, p, domain, slab, 3, derivative.data(), {fixed, moving}, grad_mi);
      gc::backward(s.ctx, {}, domain, slab, 1000, slope.data(), {fixed, moving}, grad_gc);
    }
    for (const MetricSum& v : sum.values()) {
      r.numbers.push_back(v.value);
      r.numbers.push_back(v.weight);
    }
    for (const MetricSum& v : result.values()) {
      r.numbers.push_back(v.value);
      r.numbers.push_back(v.weight);
    }
    s.out(grad, r);
    s.out(grad_mse, r);
    s.out(grad_mi, r);
    s.out(grad_gc, r);
    // The returning versions say the same.
    const auto whole = lncc::forward_backward(s.ctx, {}, domain, compute, {fixed, moving}, grad);
    EXPECT_LT(test::relative_error(whole.value, r.numbers[0]), 1e-12);
    mi::Histogram histogram;
    mi::accumulate(s.ctx, p, domain, compute, {fixed, moving}, histogram);
    EXPECT_LT(test::relative_error(mi::evaluate(p, histogram).value, r.numbers[4]), 1e-12);
    return r;
  });
}

/// Three iterations of descent in slabs; `T` is how moments are stored.
template <class T>
Result descend(Side& s, const Box& domain, const Box& compute, descent::SecondMoment moment,
               double sigma, const VectorField<float>& u) {
  Result r;
  VectorField<T> first(s.ctx.backend, compute), second(s.ctx.backend, compute);
  const descent::Moments<T> moments{first.view(), second.view()};
  const smooth::Params smoothing{
      {domain.size(0) == 1 ? 0 : sigma, 0.5 * sigma, domain.size(2) == 1 ? 0 : sigma}};
  const There<descent::Sums> sums(s, 2);
  descent::Params p{.epsilon = 1e-3, .second_moment = moment};
  for (p.iteration = 1; p.iteration <= 3; ++p.iteration)
    for (const Box& slab : slabs(compute)) {
      auto grad = test::displacement(domain, domain, 0.3, 10U * p.iteration);
      test::poison_outside(grad, intersect(grow(slab, smooth::halo(smoothing)), domain));
      descent::update(s.ctx, p, smoothing, domain, slab, s.in(grad), moments, sums.data());
    }
  p.iteration = 3;
  auto out = s.vector_room(compute);
  const auto displacement = s.in(u);
  for (const Box& slab : slabs(compute)) {
    descent::longest(s.ctx, p, domain, slab, moments, sums.data() + 1);
    const descent::Step step{.length = 0.9, .least = 0.1, .sums = sums.data()};
    descent::compose(s.ctx, p, step, domain, slab, moments, displacement, out);
  }
  for (const auto& v : sums.values()) {
    r.numbers.push_back(static_cast<double>(v.longest));
  }
  s.out(out, r);
  return r;
}

TEST_P(CudaMatchesCpu, Descent) {
  using enum descent::SecondMoment;
  const auto u = displacement(3, 1, descent::halo(descent::Step{}));
  for (const auto moment : {descent::SecondMoment::vector, element, none})
    for (const double sigma : {0.0, 0.8, 1.3, 2.5}) {
      SCOPED_TRACE("moment " + std::to_string(static_cast<int>(moment)) + " sigma " +
                   std::to_string(sigma));
      const auto run = [&](Side& s) {
        return descend<float>(s, domain, compute, moment, sigma, u);
      };
      expect_same(run);
      Side cpu(Backend::cpu), cuda(Backend::cuda);
      const Result want = run(cpu), got = descend<Half>(cuda, domain, compute, moment, sigma, u);
      // Against the step itself: u and its rounding are the same in both.
      std::vector<double> before;
      for (int c = 0; c < 3; ++c)
        test::for_each_voxel(compute, [&](int z, int y, int x) {
          before.push_back(static_cast<double>(u.view()[c](z, y, x)));
        });
      std::vector<double> steps, want_steps;
      for (std::size_t i = 0; i < before.size(); ++i) {
        steps.push_back(got.field[i] - before[i]);
        want_steps.push_back(want.field[i] - before[i]);
      }
      EXPECT_LT(test::compare(steps, want_steps).relative_l2, 4e-3);
      for (const std::size_t i : {0U, 1U})
        EXPECT_LT(test::relative_error(got.numbers[i], want.numbers[i]), 4e-3);
    }
}

TEST_P(CudaMatchesCpu, Compose) {
  compose::Params p{.scale = 0.9F, .max_step = 2};
  const auto u = displacement(3, 1, compose::halo(p)), step = displacement(2, 7, 0);
  expect_same([&](Side& s) {
    Result r;
    auto out = s.vector_room(compute);
    compose::forward(s.ctx, p, domain, compute, s.in(step), s.in(u), out);
    s.out(out, r);
    return r;
  });
}

TEST_P(CudaMatchesCpu, Smooth) {
  for (const Vec3 sigma : {Vec3{1, 1, 1}, Vec3{0, 0.5, 2.5}, Vec3{3, 1, 0.7}}) {
    const smooth::Params p{sigma}, damped{sigma, 0.3};
    const auto f = image(1, smooth::halo(p));
    const auto u = displacement(2, 3, smooth::halo(damped));
    expect_same([&](Side& s) {
      Result r;
      auto out = s.room(compute), back = s.room(compute);
      auto vector = s.vector_room(compute), vector_damped = s.vector_room(compute);
      smooth::forward(s.ctx, p, domain, compute, s.in(f), out);
      smooth::forward(s.ctx, p, domain, compute, s.in(u), vector);
      smooth::forward(s.ctx, damped, domain, compute, s.in(u), vector_damped);
      smooth::backward(s.ctx, p, domain, compute, s.in(f), back);
      s.out(out, r);
      s.out(vector, r);
      s.out(vector_damped, r);
      s.out(back, r);
      return r;
    });
  }
}

TEST_P(CudaMatchesCpu, Spline) {
  for (const Vec3 knots : {Vec3{3.25, 3.25, 3.25}, Vec3{0, 1, 2.5}, Vec3{8, 26, 1.7}}) {
    const spline::Params p{knots};
    const auto u = displacement(2, 3, spline::halo(p));
    expect_same([&](Side& s) {
      Result r;
      auto out = s.vector_room(compute);
      spline::forward(s.ctx, p, domain, compute, s.in(u), out);
      s.out(out, r);
      return r;
    });
  }
}

TEST_P(CudaMatchesCpu, Lncc) {
  enum Missing { none, in_part, everywhere };  // windows of many tiles are whole, or none
  struct Case {
    lncc::Window window;
    int radius;
    Missing missing;
  };
  using enum lncc::Window;
  for (const Case c : {Case{box, 1, none},       Case{box, 2, none},
                       Case{box, 3, none},       Case{box, 4, none},
                       Case{box, 5, none},       Case{box, 6, none},
                       Case{box, 7, none},       Case{box, 8, none},
                       Case{box, 9, none},       Case{box, 1, in_part},
                       Case{box, 4, everywhere}, Case{box, 6, in_part},
                       Case{box, 7, everywhere}, Case{box, 8, in_part},
                       Case{box, 2, in_part},    Case{box, 2, everywhere},
                       Case{box, 3, in_part},    Case{box, 5, everywhere},
                       Case{box, 5, in_part},    Case{zero_padded_box, 2, none},
                       Case{gaussian, 2, none},  Case{gaussian, 2, everywhere}}) {
    SCOPED_TRACE("window " + std::to_string(static_cast<int>(c.window)) + " radius " +
                 std::to_string(c.radius) + " missing " + std::to_string(c.missing));
    lncc::Params p;
    p.window = c.window;
    p.radius = c.radius;
    p.sigma = 1.2;
    p.missing_values = c.missing != none;
    if (c.window != zero_padded_box) p.fixed_centre = p.moving_centre = 0.5F;
    // With contrast in every window: of smooth images, windows of 3 x 1 x 3 voxels keep but 2e-5 of
    // what float32 knows, on either backend.
    auto f = test::make_field(domain, [](int z, int y, int x) {
      return 0.8 * test::smooth_noise(z, y, x, 4, 1) + 0.2 * double{noise(z, y, x, 11)};
    });
    auto m = test::make_field(domain, [&](int z, int y, int x) {
      const bool may_miss = c.missing == everywhere || (c.missing == in_part && x < 40);
      if (may_miss && noise(z, y, x, 12) < 0.1F) return std::nan("");
      return 0.5 * test::smooth_noise(z, y, x, 4, 1) + 0.3 * test::smooth_noise(z, y, x, 3, 5) +
             0.2 * double{noise(z, y, x, 13)};
    });
    test::poison_outside(f, intersect(grow(compute, lncc::halo(p)), domain));
    test::poison_outside(m, intersect(grow(compute, lncc::halo(p)), domain));
    expect_same([&](Side& s) {
      Result r;
      Field<float> grad = s.room(compute);
      const auto sum = lncc::forward_backward(s.ctx, p, domain, compute, {s.in(f), s.in(m)}, grad);
      const auto value = lncc::forward_backward(s.ctx, p, domain, compute, {s.in(f), s.in(m)}, {});
      r.numbers = {sum.value, sum.weight, value.value, value.weight};
      s.out(grad, r);
      return r;
    });
  }
}

TEST_P(CudaMatchesCpu, MutualInformation) {
  for (const auto parzen : {mi::Parzen::mattes, mi::Parzen::cubic, mi::Parzen::gaussian})
    for (const int bins : {16, 32, 50, 128}) {
      mi::Params p;
      p.bins = bins;
      p.parzen = parzen;
      p.fixed_hi = p.moving_hi = 0.9F;
      const auto f = image(1, 0);
      auto m = image(5, 0);
      m.view()(compute.lo[0], compute.lo[1], compute.lo[2]) = test::nan;
      expect_same([&](Side& s) {
        Result r;
        const auto fixed = s.in(f), moving = s.in(m);
        mi::Histogram histogram;
        mi::accumulate(s.ctx, p, domain, compute, {fixed, moving}, histogram);
        const auto table = mi::evaluate(p, histogram);
        Field<float> grad = s.room(compute);
        mi::backward(s.ctx, p, domain, compute, 3, table, {fixed, moving}, grad);
        r.numbers = {table.value, static_cast<double>(histogram.samples)};
        s.out(grad, r);
        return r;
      });
    }
}

TEST_P(CudaMatchesCpu, SoftBins) {
  const auto a = test::image(domain, 1), b = test::image(domain, 5);
  for (const int bins : {2, 23, 32, 64, 128})
    for (const double sigma : {0.5, 1.3}) {
      const soft_bins::Params p{.bins = bins, .sigma = sigma, .range_b = {0.05, 0.9}};
      const auto table = test::image({{0, 0, 0}, {1, bins, bins}}, 3);
      expect_same([&](Side& s) {
        Result r;
        const auto first = s.in(a), second = s.in(b);
        const There<double> joint(s, static_cast<std::size_t>(bins) * bins);
        soft_bins::accumulate<float>(s.ctx, p, a.size(), first.begin(), second.begin(),
                                     joint.data());
        r.field = joint.values();
        return r;
      });
      expect_same([&](Side& s) {
        Result r;
        const auto first = s.in(a), second = s.in(b), weights = s.in(table);
        const Field<float> grad = s.room(domain);
        soft_bins::backward<float>(s.ctx, p, a.size(), first.begin(), second.begin(),
                                   weights.begin(), grad.begin());
        s.out(grad, r);
        return r;
      });
    }
}

/// The integers are the same; what follows from them is rounded.
TEST_P(CudaMatchesCpu, GlobalCorrelation) {
  const gc::Params p{
      .fixed_centre = 0.5F, .moving_centre = 0.4F, .fixed_scale = 3.7F, .moving_scale = 4.1F};
  const auto f = image(1, 0);
  auto m = image(5, 0);
  m.view()(compute.lo[0], compute.lo[1], compute.lo[2]) = test::nan;
  gc::Sums both[2]{};
  expect_same([&](Side& s) {
    Result r;
    const auto fixed = s.in(f), moving = s.in(m);
    gc::Sums& sums = both[s.ctx.backend == Backend::cuda] = {};
    for (const Box& slab : slabs(compute))
      gc::accumulate(s.ctx, p, domain, slab, {fixed, moving}, sums);
    const gc::Correlation found = gc::evaluate(p, sums);
    Field<float> grad = s.room(compute);
    gc::backward(s.ctx, p, domain, compute, 1000, found.slope, {fixed, moving}, grad);
    r.numbers = {found.value.value, found.value.weight};
    s.out(grad, r);
    return r;
  });
  EXPECT_EQ(both[0], both[1]);
}

/// Numbers without a short decimal form: no q on the border of a cell, where the gradient jumps.
sampler::Params oblique(const Box& moving_domain) {
  sampler::Params p;
  p.map.linear = {
      {{0.90137, 0.05219, 0.01473}, {-0.04161, 0.80353, 0.02089}, {0.03187, 0.01361, 0.70241}}};
  p.map.translation = {1.31733, -2.71411, 0.41957};
  p.displacement_map = p.map.linear;
  p.moving_domain = moving_domain;
  p.outside = -1;
  return p;
}

TEST_P(CudaMatchesCpu, Sampler) {
  const Box moving_domain{{1, -2, 0}, {31, 29, 61}};
  const auto moving = test::image(moving_domain, 3);
  const auto u = displacement(2, 1, 0);
  const auto g = image(9, 0);
  const auto mask = test::make_field<std::uint8_t>(
      domain, [](int z, int y, int x) { return noise(z, y, x, 4) > 0.1F; });
  const auto moving_mask = test::make_field<std::uint8_t>(
      moving_domain, [](int z, int y, int x) { return noise(z / 4, y / 4, x / 4, 8) > 0.2F; });
  const auto p = oblique(moving_domain);
  for (const bool with_u : {true, false})
    expect_same([&](Side& s) {
      Result r;
      const auto image = s.in(moving), grad_warped = s.in(g);
      const auto displacement = s.in(u);
      const VectorView<const float> view = with_u ? displacement.view() : VectorView<const float>{};
      auto warped = s.room(compute), masked = s.room(compute);
      const auto fixed_mask = s.in(mask), other_mask = s.in(moving_mask);
      const auto outside = sampler::forward(s.ctx, p, domain, compute, image, view, {}, warped);
      const auto excluded = sampler::forward(s.ctx, p, domain, compute, image, view,
                                             {fixed_mask.view(), other_mask.view()}, masked);
      auto grad_u = s.in(test::displacement(domain, compute, 0.1, 5));
      sampler::backward_displacement(s.ctx, p, domain, compute, image, view, grad_warped,
                                     {grad_u, 0.7F});
      const auto a =
          sampler::backward_affine(s.ctx, p, domain, compute, image, view, grad_warped).total();
      r.numbers = {static_cast<double>(outside), static_cast<double>(excluded)};
      s.out(warped, r);
      s.out(masked, r);
      s.out(grad_u, r);
      for (int c = 0; c < 3; ++c) {
        for (int k = 0; k < 3; ++k) r.field.push_back(1e-3 * a.map[c][k]);
        r.field.push_back(1e-3 * a.translation[c]);
      }
      return r;
    });
}

TEST_P(CudaMatchesCpu, SamplerScatters) {
  const Box moving_domain{{1, -2, 0}, {31, 29, 61}};
  const auto u = displacement(2, 1, 0);
  const auto g = image(9, 0);
  const auto p = oblique(moving_domain);
  for (const bool with_u : {true, false})
    expect_same([&](Side& s) {
      Result r;
      auto grad_moving = s.in(test::image(moving_domain, 6));
      const auto displacement = s.in(u);
      sampler::backward_moving(s.ctx, p, domain, compute,
                               with_u ? displacement.view() : VectorView<const float>{}, s.in(g),
                               grad_moving);
      s.out(grad_moving, r);
      return r;
    });
}

TEST_P(CudaMatchesCpu, Slopes) {
  auto warped = image(3, slopes::halo);
  for (float& value : warped)
    if (value < 0.2F) value = test::nan;
  for (const Into into : {Into::add, Into::overwrite})
    expect_same([&](Side& s) {
      Result r;
      auto grad = s.in(test::displacement(domain, compute, 0.1, 5));
      slopes::backward(s.ctx, domain, compute, s.in(warped), s.in(image(9, 0)), {grad, 0.7F, into});
      s.out(grad, r);
      return r;
    });
}

TEST_P(CudaMatchesCpu, Points) {
  const auto labels = test::make_field<std::uint16_t>(
      domain, [](int z, int y, int x) { return 60000 * noise(z / 2, y / 2, x / 2, 3); });
  const auto u = test::displacement(domain, domain, 3, 4);
  std::vector<Vec3> where;
  for (int i = 0; i < 999; ++i) {
    Vec3 q;
    for (int a = 0; a < 3; ++a)
      q[a] = domain.lo[a] - 1 + (domain.size(a) + 1) * double{noise(i, a, 0, 5)};
    where.push_back(q);
  }
  where.push_back({NAN, 0, 0});
  expect_same([&](Side& s) {
    Result r;
    auto image = s.in(test::image(domain, 2));
    using enum points::Mode;
    std::vector<double> values(where.size());
    for (const points::Mode mode : {linear, nearest, sinc, bspline}) {
      if (mode == bspline) points::bspline_coefficients<float>(s.ctx, image);
      points::sample<float>(s.ctx, {mode, -1}, domain, image, where, values);
      r.field.insert(r.field.end(), values.begin(), values.end());
    }
    const auto label_image = s.in(labels);
    std::vector<std::uint16_t> names(where.size());
    points::nearest_label<std::uint16_t>(s.ctx, domain, label_image, 7, where, names);
    r.numbers.assign(names.begin(), names.end());
    points::vote_label<std::uint16_t>(s.ctx, domain, label_image, 7, where, names);
    r.numbers.insert(r.numbers.end(), names.begin(), names.end());
    std::vector<Vec3> vectors(where.size());
    points::sample_vectors(s.ctx, domain, s.in(u), where, vectors);
    for (const Vec3& v : vectors) r.field.insert(r.field.end(), v.begin(), v.end());
    return r;
  });
}

TEST_P(CudaMatchesCpu, Resize) {
  const Box small{{0, 0, 0},
                  {(domain.size(0) + 1) / 2, (2 * domain.size(1) + 2) / 3, domain.size(2)}};
  const auto f = test::image(domain, 1);
  const auto u = test::displacement(domain, domain, 2, 3);
  const auto mask = test::make_field<std::uint8_t>(
      domain, [](int z, int y, int x) { return noise(z, y, x, 4) > 0.4F; });
  expect_same([&](Side& s) {
    Result r;
    auto shrunk = s.room(small);
    auto masked = s.room(small), coverage = s.room(small);
    const auto mask_there = s.in(mask);
    resize::shrink_masked(s.ctx, {}, {domain, small}, small, s.in(f), mask_there, masked, coverage);
    s.out(masked, r);
    s.out(coverage, r);
    auto interpolated = s.vector_room(small), grown = s.vector_room(domain);
    resize::shrink(s.ctx, {}, {domain, small}, small, s.in(f), shrunk);
    resize::displacement(s.ctx, {}, {domain, small}, small, s.in(u), interpolated);
    resize::displacement(s.ctx, {}, {small, domain}, domain, interpolated, grown);
    s.out(shrunk, r);
    s.out(interpolated, r);
    s.out(grown, r);
    return r;
  });
}

TEST_P(CudaMatchesCpu, Jacobian) {
  const auto u = displacement(2, 3, jacobian::halo());
  expect_same([&](Side& s) {
    Result r;
    auto determinant = s.room(compute);
    const auto displacement = s.in(u);
    jacobian::forward(s.ctx, domain, compute, displacement.view(), determinant.view());
    const auto t = jacobian::statistics(s.ctx, domain, compute, displacement.view(), {}).total();
    r.numbers = {static_cast<double>(t.count),
                 static_cast<double>(t.folded),
                 t.min,
                 t.max,
                 t.sum_log_squared,
                 t.sum_log_size};
    s.out(determinant, r);
    return r;
  });
}

TEST_P(CudaMatchesCpu, Invert) {
  invert::Params p;
  p.reach = 1;
  p.tolerance = 1e-3;
  const auto u = displacement(1, 3, invert::halo(p));
  Side cuda(Backend::cuda);
  auto inverse = cuda.vector_room(compute);
  const auto displacement = cuda.in(u);
  const auto residual =
      invert::forward(cuda.ctx, p, domain, compute, displacement, inverse).total();
  EXPECT_EQ(residual.unconverged, 0);
  EXPECT_LE(residual.max, p.tolerance);
  // Where the iteration stops hangs on the last bit, so both agree to the tolerance.
  Side cpu(Backend::cpu);
  auto want = cpu.vector_room(compute);
  invert::forward(cpu.ctx, p, domain, compute, u, want);
  const auto got = copy_to(cpu.ctx, Backend::cpu, inverse);
  for (std::size_t i = 0; i < static_cast<std::size_t>(3 * compute.volume()); ++i)
    ASSERT_LT(std::abs(got.data()[i] - want.data()[i]), 5e-3F);
}

TEST_P(CudaMatchesCpu, JacobianBelow) {
  const auto u = displacement(2, 3, jacobian::halo());
  expect_same([&](Side& s) {
    Result r;
    const auto displacement = s.in(u);
    const auto voxels = jacobian::voxels_below(s.ctx, domain, compute, 0.9, displacement);
    for (const Int3& i : voxels) r.field.insert(r.field.end(), i.begin(), i.end());
    return r;
  });
}

TEST_P(CudaMatchesCpu, IntensitySums) {
  auto f = image(1, 0);
  f.view()(compute.lo[0], compute.lo[1], compute.lo[2]) = test::nan;
  const auto mask = test::make_field<std::uint8_t>(
      domain, [](int z, int y, int x) { return noise(z, y, x, 4) > 0.1F ? 2 : 0; });
  for (const bool masked : {false, true})
    expect_same([&](Side& s) {
      Result r;
      const auto on_side = s.in(f);
      const auto mask_on_side = s.in(mask);
      const View<const std::uint8_t> m = masked ? mask_on_side.view() : View<const std::uint8_t>{};
      const auto sums = intensity::statistics(s.ctx, compute, on_side, m).total();
      const auto moments = intensity::moments(s.ctx, compute, {0.2F, 0.8F}, on_side, m).total();
      r.numbers = {sums.sum,         sums.sum_squares,     moments.mass,
                   moments.first[1], moments.second[0][2], moments.second[2][2]};
      for (const auto n : intensity::histogram(s.ctx, compute, {0.1F, 0.9F}, 4096, on_side, m))
        r.field.push_back(static_cast<double>(n));
      for (const double n : {static_cast<double>(sums.count), static_cast<double>(sums.not_finite),
                             static_cast<double>(sums.lo), static_cast<double>(sums.hi),
                             static_cast<double>(intensity::count(s.ctx, compute, mask_on_side))})
        r.field.push_back(n);
      return r;
    });
}

TEST_P(CudaMatchesCpu, IntensityMaps) {
  const auto f = test::image(domain, 1);
  const auto missing = test::make_field(
      domain, [](int z, int y, int x) { return noise(z, y, x, 6) > 0.2F ? 1.5F : test::nan; });
  const auto mask = test::make_field<std::uint8_t>(domain, [](int, int, int) { return 1; });
  expect_same([&](Side& s) {
    Result r;
    auto v = s.in(f), w = s.in(missing), loaded = s.in(f);
    auto m = s.in(mask);
    intensity::rescale(s.ctx, compute, 0.1F, 3, v);
    intensity::clamp(s.ctx, compute, {0.2F, 2.5F}, v);
    intensity::remap(s.ctx, compute, {0, 0.5F, 1, 2}, {0, 1, 1.5F, 7}, v);
    intensity::drop_missing(s.ctx, compute, w, m);
    Field<Half> half(s.ctx.backend, domain);
    intensity::store(s.ctx, domain, v, half);
    intensity::load(s.ctx, compute, View<const Half>(half.view()), loaded);
    s.out(v, r);
    s.out(loaded, r);
    intensity::extend(s.ctx, domain, compute, m, loaded);
    s.out(loaded, r);
    intensity::store_mask(s.ctx, compute, 0.5F, loaded, m);
    s.out(m, r);
    auto kept = copy_to(s.ctx, Backend::cpu, w);
    test::for_each_voxel(compute, [&](int z, int y, int x) {
      r.field.push_back(static_cast<double>(kept.view()(z, y, x)));
    });
    return r;
  });
}

TEST_P(CudaMatchesCpu, Vectors) {
  const auto u = test::displacement(domain, domain, 3, 1);
  const auto w = displacement(3, 5, 0);
  const Mat3 matrix{{{0.9, -1.2, 0.3}, {0.1, 2.5, -0.7}, {-0.4, 0.2, 1.1}}};
  expect_same([&](Side& s) {
    Result r;
    auto a = s.in(u), out = s.in(u);
    const auto b = s.in(w);
    vectors::transform(s.ctx, compute, matrix, 5, b, out);
    vectors::transform(s.ctx, compute, matrix, 100, out, out);
    Field<float> one = s.room(compute);
    vectors::component(s.ctx, compute, matrix[1], b, one);
    s.out(one, r);
    vectors::average(s.ctx, compute, a, b);
    r.numbers = {vectors::largest(s.ctx, compute, a)};
    const vectors::Extent extent = vectors::extent(s.ctx, compute, a);
    r.numbers.insert(r.numbers.end(), std::begin(extent.lo), std::end(extent.lo));
    r.numbers.insert(r.numbers.end(), std::begin(extent.hi), std::end(extent.hi));
    s.out(out, r);
    s.out(a, r);
    vectors::copy(s.ctx, compute, b, a);
    s.out(a, r);
    return r;
  });
}

class Cuda : public CudaMatchesCpu {};
INSTANTIATE_TEST_SUITE_P(One, Cuda, testing::Values(Boxes{box_of({1, 1, 1}), box_of({1, 1, 1})}));

TEST_P(Cuda, NamesTheSizesWhereMemoryIsShort) {
  try {
    Buffer<float> buffer(Backend::cuda, std::size_t{1} << 45U);
    FAIL() << "128 TiB were allocated";
  } catch (const OutOfMemory& e) {
    EXPECT_NE(std::string(e.what()).find("asked 131072.0 GiB"), std::string::npos) << e.what();
  }
}

TEST_P(Cuda, LargeCopiesGoThroughAndComeBack) {
  for (const int threads : {1, 3})
    for (const int planes : {7, 101}) {  // within one chunk of pinned memory, over several
      Side s(Backend::cuda);
      s.ctx.threads = threads;
      const Field<float> there =
          test::make_field(box_of({planes, 511, 513}), [](int z, int y, int x) {
            return static_cast<float>(z) + 0.001F * static_cast<float>(y) +
                   1e-6F * static_cast<float>(x);
          });
      const auto back = copy_to(s.ctx, Backend::cpu, s.in(there));
      EXPECT_TRUE(std::equal(there.begin(), there.end(), back.begin(), back.end()));
    }
}

TEST_P(Cuda, PeakMemoryIsThatOfTheBuffers) {
  reset_peak_device_bytes();
  const std::size_t before = peak_device_bytes();
  {
    const Buffer<char> a(Backend::cuda, 1000000), b(Backend::cuda, 500000);
  }
  const Buffer<char> c(Backend::cuda, 700000);
  EXPECT_EQ(peak_device_bytes() - before, 1500000U);
  EXPECT_FALSE(device_info().name.empty());
  EXPECT_FALSE(device_problem(1000).empty());
  EXPECT_THROW(select_device(1000), DeviceError);
}

float at(const Field<float>& field, int, int z, int y, int x) { return field.view()(z, y, x); }
float at(const VectorField<float>& field, int c, int z, int y, int x) {
  return field.view()[c](z, y, x);
}
constexpr int components(const Field<float>&) { return 1; }
constexpr int components(const VectorField<float>&) { return 3; }

/// What a call over `box` may read of a field: grow(box, halo) within the domain. Three more voxels
/// are stored on each side, and hold `poison`.
template <class Halo>
Field<float> near(const Field<float>& from, const Box& box, const Halo& halo,
                  float poison = test::nan) {
  const Box held = intersect(grow(box, halo), from.stored());
  return test::make_field(grow(grow(box, halo), 3), [&](int z, int y, int x) {
    return held.contains(z, y, x) ? from.view()(z, y, x) : poison;
  });
}
template <class Halo>
VectorField<float> near(const VectorField<float>& from, const Box& box, const Halo& halo) {
  const Box held = intersect(grow(box, halo), from.stored());
  return test::make_vector_field(grow(grow(box, halo), 3), [&](int c, int z, int y, int x) {
    return held.contains(z, y, x) ? from.view()[c](z, y, x) : test::nan;
  });
}

/// make(side, box, result) fills a field over the box: in parts the same bits as in one piece.
template <class AnyField, class Make>
void expect_parts_as_whole(const Box& domain, Make&& make) {
  Side s(Backend::cuda);
  const auto run = [&](const Box& box) {
    AnyField result(Backend::cuda, box);
    make(s, box, result);
    return copy_to(s.ctx, Backend::cpu, result);
  };
  const AnyField whole = run(domain);
  for (const auto& boxes : test::splits(domain))
    for (const Box& box : boxes) {
      const AnyField part = run(box);
      std::int64_t differ = 0;
      test::for_each_voxel(box, [&](int z, int y, int x) {
        for (int c = 0; c < components(part); ++c)
          differ += at(part, c, z, y, x) != at(whole, c, z, y, x);
      });
      EXPECT_EQ(differ, 0) << to_string(box);
    }
}

TEST_P(Cuda, PartsHaveTheBitsOfTheWhole) {
  const Box large = box_of({33, 41, 150});
  const auto f = test::image(large, 1), m = test::image(large, 2);
  const auto u = test::displacement(large, large, 2, 1);
  const auto step = test::displacement(large, large, 0.9, 2);
  const auto holes = test::make_field(large, [](int z, int y, int x) {
    return noise(z, y, x, 2) < 0.1F && x < 40 ? std::nan("") : double{noise(z, y, x, 3)};
  });
  for (const int radius : {1, 2, 3, 4, 5, 6, 7, 8})
    for (const bool missing : {false, true}) {
      SCOPED_TRACE("lncc, radius " + std::to_string(radius));
      lncc::Params p;
      p.radius = radius;
      p.missing_values = missing;
      expect_parts_as_whole<Field<float>>(large, [&](Side& side, const Box& box, auto& grad) {
        // NaN would be a missing value.
        const float poison = missing ? 1e3F : test::nan;
        const auto some = [&](const Field<float>& from) {
          return side.in(near(from, box, halo(p), poison));
        };
        const auto fixed = some(f), warped = some(missing ? holes : m);
        lncc::forward_backward(side.ctx, p, large, box, {fixed, warped}, grad);
      });
    }
  for (const double sigma : {1.0, 2.6}) {
    SCOPED_TRACE("sigma " + std::to_string(sigma));
    expect_parts_as_whole<VectorField<float>>(large, [&](Side& side, const Box& box, auto& out) {
      const smooth::Params p{{sigma, sigma, sigma}};
      smooth::forward(side.ctx, p, large, box, side.in(near(u, box, halo(p))), out);
    });
    expect_parts_as_whole<VectorField<float>>(large, [&](Side& side, const Box& box, auto& first) {
      auto second = side.vector_room(box);
      const There<descent::Sums> sums(side, 1);
      descent::Params p;
      p.iteration = 1;
      const smooth::Params smoothing{{sigma, sigma, sigma}};
      descent::update(side.ctx, p, smoothing, large, box, side.in(near(u, box, halo(smoothing))),
                      descent::Moments<float>{first.view(), second.view()}, sums.data());
    });
  }
  expect_parts_as_whole<VectorField<float>>(large, [&](Side& side, const Box& box, auto& out) {
    const compose::Params p{.scale = 0.9F, .max_step = 1};
    compose::forward(side.ctx, p, large, box, side.in(near(step, box, 0)),
                     side.in(near(u, box, halo(p))), out);
  });
  const Side s(Backend::cuda);
  const auto moving = s.in(m);
  sampler::Params p;
  p.map.translation = {0.3, -0.7, 1.2};
  p.displacement_map = p.map.linear;
  p.moving_domain = large;
  p.outside = -1;
  expect_parts_as_whole<Field<float>>(large, [&](Side& side, const Box& box, auto& warped) {
    sampler::forward(side.ctx, p, large, box, moving, side.in(near(u, box, 0)), {}, warped);
  });
  expect_parts_as_whole<VectorField<float>>(large, [&](Side& side, const Box& box, auto& grad) {
    sampler::backward_displacement(side.ctx, p, large, box, moving, side.in(near(u, box, 0)),
                                   side.in(near(f, box, 0)), {grad, 1, sampler::Into::overwrite});
  });
}

/// Images of more than 2^31 voxels, zero but for what the last plane holds.
TEST_P(Cuda, CountsBeyondTwoToThe31) {
  if (!test::device_required()) GTEST_SKIP() << "26 GB of device memory";
  const Box large = box_of({1300, 1300, 1300});
  const Box last{{1299, 0, 0}, {1300, 1300, 1300}};
  Side s(Backend::cuda);
  auto fixed = s.room(large), warped = s.room(large), grad = s.room(large);
  mse::Params none;
  const std::size_t plane = std::size_t{1300} * 1300;
  const Field<float> values =
      test::make_field(last, [](int z, int y, int x) { return noise(z, y, x, 3); });
  const Field<float> zeros = test::make_field(last, [](int, int, int) { return 0.0F; });
  for (int z = 0; z < 1300; ++z)
    for (float* data : {fixed.data(), warped.data()})
      copy_bytes(s.ctx, Backend::cuda, data + z * plane, Backend::cpu, zeros.data(),
                 plane * sizeof(float));
  copy_bytes(s.ctx, Backend::cuda, fixed.data() + 1299 * plane, Backend::cpu, values.data(),
             plane * sizeof(float));
  sampler::Params p;
  p.displacement_map = {};
  p.moving_domain = large;
  EXPECT_EQ(sampler::forward(s.ctx, p, large, large, fixed, {}, {}, warped), 0);
  Field<float> got(Backend::cpu, last);
  copy_bytes(s.ctx, Backend::cpu, got.data(), Backend::cuda, warped.data() + 1299 * plane,
             plane * sizeof(float));
  EXPECT_EQ(test::values(got.view(), last), test::values(values.view(), last));
  copy_bytes(s.ctx, Backend::cuda, warped.data() + 1299 * plane, Backend::cpu, zeros.data(),
             plane * sizeof(float));
  const auto sum = mse::forward_backward(s.ctx, none, large, large, {fixed, warped}, grad);
  double want = 0;
  for (float v : values) want += static_cast<double>(v) * static_cast<double>(v);
  EXPECT_LT(test::relative_error(sum.value, want), 1e-12);
  EXPECT_EQ(sum.weight, static_cast<double>(large.volume()));
  copy_bytes(s.ctx, Backend::cpu, got.data(), Backend::cuda, grad.data() + 1299 * plane,
             plane * sizeof(float));
  for (float& g : got) g *= -0.5F;
  EXPECT_EQ(test::values(got.view(), last), test::values(values.view(), last));
}

}  // namespace
}  // namespace ffdp
