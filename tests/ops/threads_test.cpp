// SPDX-License-Identifier: Apache-2.0
// Every op gives the same bits at any number of threads.
#include <functional>
#include <string>
#include <vector>

#include "tests/support/fields.hpp"

#include <gtest/gtest.h>

#include "ffdp/ops/compose/compose.hpp"
#include "ffdp/ops/descent/descent.hpp"
#include "ffdp/ops/gc/gc.hpp"
#include "ffdp/ops/invert/invert.hpp"
#include "ffdp/ops/jacobian/jacobian.hpp"
#include "ffdp/ops/lncc/lncc.hpp"
#include "ffdp/ops/mi/mi.hpp"
#include "ffdp/ops/mse/mse.hpp"
#include "ffdp/ops/resize/resize.hpp"
#include "ffdp/ops/sampler/sampler.hpp"
#include "ffdp/ops/smooth/smooth.hpp"

namespace ffdp {
namespace {

const Box domain = box_of({23, 37, 41});

struct Op {
  const char* name;
  std::function<std::vector<double>(Context&)> run;  ///< everything the op returns
};

std::vector<double> with(std::vector<double> values, const std::vector<double>& more) {
  values.insert(values.end(), more.begin(), more.end());
  return values;
}

std::vector<double> sampler_run(Context& ctx) {
  sampler::Params p;
  p.map.translation = {0.3, -0.4, 0.2};
  p.displacement_map = p.map.linear;
  p.moving_domain = domain;
  const auto image = test::image(domain, 1), cotangent = test::image(domain, 2);
  const auto u = test::displacement(domain, domain, 3, 5);
  const auto g = sampler::backward_affine(ctx, p, domain, domain, image, u, cotangent).total();
  return {g.map[0][0], g.map[1][2], g.translation[0], g.translation[2]};
}

std::vector<double> lncc_run(Context& ctx) {
  lncc::Params p;
  Field<float> grad(Backend::cpu, domain);
  const auto sum = lncc::forward_backward(ctx, p, domain, domain,
                                          {test::image(domain, 1), test::image(domain, 7)}, grad);
  return with({sum.value, sum.weight}, test::values(grad.view(), domain));
}

std::vector<double> mi_run(Context& ctx) {
  const auto fixed = test::image(domain, 1), warped = test::image(domain, 7);
  mi::Histogram h;
  mi::accumulate(ctx, {}, domain, domain, {fixed, warped}, h);
  const auto table = mi::evaluate({}, h);
  Field<float> grad(Backend::cpu, domain);
  mi::backward(ctx, {}, domain, domain, 1, table, {fixed, warped}, grad);
  return with({table.value}, test::values(grad.view(), domain));
}

std::vector<double> gc_run(Context& ctx) {
  const auto fixed = test::image(domain, 1), warped = test::image(domain, 7);
  gc::Sums sums{};
  gc::accumulate(ctx, {}, domain, domain, {fixed, warped}, sums);
  const auto found = gc::evaluate({}, sums);
  Field<float> grad(Backend::cpu, domain);
  gc::backward(ctx, {}, domain, domain, 1, found.slope, {fixed, warped}, grad);
  return with({found.value.value}, test::values(grad.view(), domain));
}

std::vector<double> mse_run(Context& ctx) {
  return {mse::forward_backward(ctx, {}, domain, domain,
                                {test::image(domain, 1), test::image(domain, 7)}, {})
              .value};
}

std::vector<double> descent_run(Context& ctx) {
  const auto grad = test::displacement(domain, domain, 1, 1),
             u = test::displacement(domain, domain, 4, 2);
  VectorField<float> first(Backend::cpu, domain), second(Backend::cpu, domain),
      out(Backend::cpu, domain);
  const descent::Moments<float> moments{first, second};
  descent::Sums sums;
  descent::update(ctx, {}, {{1, 1.5, 2}}, domain, domain, grad, moments, &sums);
  descent::compose(ctx, {}, {.sums = &sums}, domain, domain, moments, u, out);
  return with({static_cast<double>(sums.longest)}, test::values(out.view(), domain));
}

std::vector<double> invert_run(Context& ctx) {
  VectorField<float> v(Backend::cpu, domain);
  const auto u = test::displacement(domain, domain, 1, 1);
  const auto r = invert::forward(ctx, {.reach = 1}, domain, domain, u, v).total();
  return with({r.max, r.sum}, test::values(v.view(), domain));
}

std::vector<double> jacobian_run(Context& ctx) {
  const auto s =
      jacobian::statistics(ctx, domain, domain, test::displacement(domain, domain, 3, 1), {})
          .total();
  return {s.min, s.max, s.sum_log, s.sum_log_squared, s.sum_log_size};
}

std::vector<double> smooth_run(Context& ctx) {
  Field<float> out(Backend::cpu, domain);
  smooth::forward(ctx, {{1, 1.5, 2}}, domain, domain, test::image(domain, 1).view(), out.view());
  return test::values(out.view(), domain);
}

std::vector<double> resize_run(Context& ctx) {
  const Box to = box_of({11, 18, 20});
  Field<float> out(Backend::cpu, to);
  resize::shrink(ctx, {}, {domain, to}, to, test::image(domain, 1), out);
  return test::values(out.view(), to);
}

std::vector<double> compose_run(Context& ctx) {
  VectorField<float> out(Backend::cpu, domain);
  compose::forward(ctx, {1, 1}, domain, domain, test::displacement(domain, domain, 1, 1),
                   test::displacement(domain, domain, 4, 2), out);
  return test::values(out.view(), domain);
}

class Threads : public testing::TestWithParam<Op> {};

TEST_P(Threads, DoNotChangeTheBits) {
  Context one;
  const std::vector<double> want = GetParam().run(one);
  for (int threads : {2, 3, 4}) {
    Context ctx;
    ctx.threads = threads;
    EXPECT_TRUE(GetParam().run(ctx) == want) << threads << " threads";
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, Threads,
                         testing::Values(Op{"sampler", sampler_run}, Op{"lncc", lncc_run},
                                         Op{"mi", mi_run}, Op{"gc", gc_run}, Op{"mse", mse_run},
                                         Op{"descent", descent_run}, Op{"invert", invert_run},
                                         Op{"jacobian", jacobian_run}, Op{"smooth", smooth_run},
                                         Op{"resize", resize_run}, Op{"compose", compose_run}),
                         [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace ffdp
