// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/metrics/metric.hpp"

#include <algorithm>
#include <cmath>

#include "ffdp/dist/ordered_sum.hpp"
#include "ffdp/ops/slopes/slopes.hpp"

namespace ffdp::registration {

lncc::Params Metric::lncc() const {
  const auto floor = static_cast<float>(config.floor);
  return {.window = config.window,
          .radius = config.radius,
          .sigma = config.sigma,
          .fixed_centre = fixed.mean,
          .moving_centre = moving.mean,
          .fixed_floor = floor * fixed.variance,
          .moving_floor = floor * moving.variance,
          .missing_values = true};
}

mi::Params Metric::mi() const {
  return {.bins = config.bins,
          .parzen = config.parzen,
          .measure = config.measure,
          .fixed_lo = fixed.lo,
          .fixed_hi = fixed.hi,
          .moving_lo = moving.lo,
          .moving_hi = moving.hi};
}

mse::Params Metric::mse() const {
  return {.unit = 1.0 / (1 << 20)};  // of normalised images: a millionth of the range squared
}

gc::Params Metric::gc() const {
  return {.fixed_centre = fixed.mean,
          .moving_centre = moving.mean,
          .fixed_scale = 1 / std::sqrt(fixed.variance),
          .moving_scale = 1 / std::sqrt(moving.variance)};
}

int metric_reach(const MetricConfig& config) {
  if (config.kind != MetricKind::lncc) return 0;
  return lncc::halo({.window = config.window, .radius = config.radius, .sigma = config.sigma});
}

bool slopes_between_voxels(const MetricConfig& config) { return config.kind == MetricKind::mi; }

int warped_reach(const MetricConfig& config) {
  return std::max(metric_reach(config), slopes_between_voxels(config) ? slopes::halo : 0);
}

double cost_sign(const MetricConfig& config) { return config.kind == MetricKind::mse ? 1 : -1; }

double room_below(const MetricConfig& config, double cost) {
  const bool bounded = config.kind == MetricKind::lncc || config.kind == MetricKind::gc;
  return bounded ? 1 + cost : std::abs(cost);
}

double free_stretch(const MetricConfig& config) {
  return config.kind == MetricKind::mi ? 0 : std::log(1.25);
}

int metric_workspace(const MetricConfig& config) {
  return config.kind == MetricKind::lncc ? 12 : 0;  // a, b and d of every window
}

double least_gradient(const std::vector<MetricConfig>& metrics) {
  double sum = 0;
  for (const MetricConfig& metric : metrics)
    sum += metric.weight * (metric.kind == MetricKind::lncc ? 0.1
                            : metric.kind == MetricKind::mi ? 0.03
                            : metric.kind == MetricKind::gc ? 0.015
                                                            : 0.002);
  return sum;
}

namespace {

Cost mi_cost(Context& ctx, dist::Comm& comm, const Metric& metric, const dist::Cut& cut,
             View<const float> fixed, View<const float> warped, View<float> grad) {
  const mi::Params p = metric.mi();
  const Box own = cut.own(comm);
  mi::Histogram histogram;
  mi::accumulate(ctx, p, cut.domain(), own, {fixed, warped}, histogram);
  dist::sum_counts(comm, cut, histogram.joint);
  histogram.samples = dist::sum_count(comm, cut, histogram.samples);
  const mi::Table table = mi::evaluate(p, histogram);
  const auto samples = static_cast<double>(histogram.samples);
  if (grad)
    mi::backward(ctx, p, cut.domain(), own, -static_cast<float>(samples), table, {fixed, warped},
                 grad);
  return {-table.value, samples};
}

Cost gc_cost(Context& ctx, dist::Comm& comm, const Metric& metric, const dist::Cut& cut,
             View<const float> fixed, View<const float> warped, View<float> grad) {
  const gc::Params p = metric.gc();
  const Box own = cut.own(comm);
  gc::Sums sums{};
  gc::accumulate(ctx, p, cut.domain(), own, {fixed, warped}, sums);
  dist::sum_counts(comm, cut, sums);
  const gc::Correlation found = gc::evaluate(p, sums);
  if (grad)
    gc::backward(ctx, p, cut.domain(), own, -static_cast<float>(found.value.weight), found.slope,
                 {fixed, warped}, grad);
  return {-found.value.value, found.value.weight};
}

}  // namespace

Cost metric_cost(Context& ctx, dist::Comm& comm, const Metric& metric, const dist::Cut& cut,
                 View<const float> fixed, View<const float> warped, View<float> grad) {
  const MetricKind kind = metric.config.kind;
  if (kind == MetricKind::mi) return mi_cost(ctx, comm, metric, cut, fixed, warped, grad);
  if (kind == MetricKind::gc) return gc_cost(ctx, comm, metric, cut, fixed, warped, grad);
  const Box domain = cut.domain(), own = cut.own(comm);
  const MetricSum sum =
      kind == MetricKind::lncc
          ? lncc::forward_backward(ctx, metric.lncc(), domain, own, {fixed, warped}, grad)
          : mse::forward_backward(ctx, metric.mse(), domain, own, {fixed, warped}, grad);
  double totals[2] = {sum.value, sum.weight};
  dist::sum_exact(comm, cut, totals);
  const double mean = totals[0] / std::max(totals[1], 1.0);
  const double sign = cost_sign(metric.config);
  return {sign * mean, totals[1], static_cast<float>(sign)};
}

void forward_backward(Context& ctx, const Metric& metric, const Box& domain, const Box& box,
                      const Images<float>& images, View<float> grad, MetricSum* sum) {
  if (metric.config.kind == MetricKind::lncc)
    lncc::forward_backward(ctx, metric.lncc(), domain, box, images, grad, {}, sum);
  else
    mse::forward_backward(ctx, metric.mse(), domain, box, images, grad, sum);
}

}  // namespace ffdp::registration
