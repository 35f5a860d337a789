// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/metrics/metric.hpp"

#include <algorithm>

#include "ffdp/ops/mse/mse.hpp"

namespace ffdp::registration {
namespace {

Cost lncc_cost(Context& ctx, dist::Comm& comm, const MetricConfig& config,
               const IntensityModel& fixed_model, const IntensityModel& moving_model, Box domain,
               View<const float> fixed, View<const float> warped, bool missing, View<float> grad,
               VectorView<float> workspace) {
  lncc::Params p = lncc_params(config, fixed_model, moving_model);
  p.missing_values = missing;
  const MetricSum sum =
      lncc::forward_backward(ctx, p, domain, domain, fixed, warped, grad, workspace);
  double totals[2] = {sum.value, sum.weight};
  comm.all_sum(totals);
  return {-totals[0] / std::max(totals[1], 1.0), totals[1], -1.0F};
}

}  // namespace

lncc::Params lncc_params(const MetricConfig& config, const IntensityModel& fixed,
                         const IntensityModel& moving) {
  const auto floor = static_cast<float>(config.floor);
  return {.window = config.window,
          .radius = config.radius,
          .sigma = config.sigma,
          .fixed_centre = fixed.mean,
          .moving_centre = moving.mean,
          .fixed_floor = floor * fixed.variance,
          .moving_floor = floor * moving.variance};
}

mi::Params mi_params(const MetricConfig& config, const IntensityModel& fixed,
                     const IntensityModel& moving) {
  return {.bins = config.bins,
          .parzen = config.parzen,
          .measure = config.measure,
          .fixed_lo = fixed.lo,
          .fixed_hi = fixed.hi,
          .moving_lo = moving.lo,
          .moving_hi = moving.hi};
}

Cost evaluate(Context& ctx, dist::Comm& comm, const MetricConfig& config,
              const IntensityModel& fixed_model, const IntensityModel& moving_model, Box domain,
              View<const float> fixed, View<const float> warped, bool missing, View<float> grad,
              VectorView<float> workspace) {
  if (config.kind == MetricKind::lncc)
    return lncc_cost(ctx, comm, config, fixed_model, moving_model, domain, fixed, warped, missing,
                     grad, workspace);
  if (config.kind == MetricKind::mse) {
    const MetricSum sum = mse::forward_backward(ctx, {}, domain, domain, fixed, warped, grad);
    double totals[2] = {sum.value, sum.weight};
    comm.all_sum(totals);
    return {totals[0] / std::max(totals[1], 1.0), totals[1]};
  }
  const mi::Params p = mi_params(config, fixed_model, moving_model);
  mi::Histogram histogram;
  mi::accumulate(ctx, p, domain, domain, fixed, warped, histogram);
  comm.all_sum(histogram.joint);
  comm.all_sum({&histogram.samples, 1});
  const mi::Table table = mi::evaluate(p, histogram);
  const auto samples = static_cast<double>(histogram.samples);
  if (grad)
    mi::backward(ctx, p, domain, domain, -static_cast<float>(samples), table, fixed, warped, grad);
  return {-table.value, samples};
}

}  // namespace ffdp::registration
