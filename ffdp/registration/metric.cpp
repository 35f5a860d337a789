// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/metric.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "ffdp/core/error.hpp"
#include "ffdp/ops/intensity/intensity.hpp"
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

IntensityModel intensity_model(Context& ctx, const char* name, const ImageView& image,
                               View<const std::uint8_t> mask) {
  const Box& box = image.stored;
  const intensity::Statistics all = intensity::statistics(ctx, box, image, mask);
  const auto count = static_cast<double>(all.count);
  require(all.count > 0, std::string(name) + ": no voxel lies inside the mask");
  require(all.hi > all.lo, std::string(name) + ": every voxel is " + std::to_string(all.lo) +
                               ", an image with some contrast is needed");
  constexpr int bins = 4096;
  const auto lo = static_cast<double>(all.lo), hi = static_cast<double>(all.hi);
  const double scale = bins / (hi - lo);
  const auto counts = intensity::histogram(ctx, box, {all.lo, all.hi}, bins, image, mask);
  const auto quantile = [&](double q) {
    double below = 0;
    for (int b = 0; b < bins; ++b) {
      const double next = below + static_cast<double>(counts[static_cast<std::size_t>(b)]);
      if (next >= q * count && next > below)
        return lo + (b + (q * count - below) / (next - below)) / scale;
      below = next;
    }
    return hi;
  };
  IntensityModel model;
  const double mean = all.sum / count;
  model.mean = static_cast<float>(mean);
  model.variance = static_cast<float>(all.sum_squares / count - mean * mean);
  model.lo = static_cast<float>(quantile(0.001));
  model.hi = static_cast<float>(quantile(0.999));
  if (!(model.hi > model.lo)) {
    model.lo = all.lo;
    model.hi = all.hi;
  }
  return model;
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
