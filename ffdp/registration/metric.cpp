// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/metric.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "ffdp/core/error.hpp"
#include "ffdp/core/parallel.hpp"
#include "ffdp/ops/mse/mse.hpp"

namespace ffdp::registration {
namespace {

struct Moments {
  double count = 0, sum = 0, squares = 0, lo = 1e300, hi = -1e300;
  Moments& operator+=(const Moments& other) {
    count += other.count;
    sum += other.sum;
    squares += other.squares;
    lo = std::min(lo, other.lo);
    hi = std::max(hi, other.hi);
    return *this;
  }
};

struct Counts {
  std::vector<std::int64_t> bins;
  Counts& operator+=(const Counts& other) {
    bins.resize(other.bins.size());
    for (std::size_t i = 0; i < bins.size(); ++i) bins[i] += other.bins[i];
    return *this;
  }
};

/// Calls body(value) for the counted voxels of plane z.
template <class Body>
void for_plane(View<const float> image, View<const std::uint8_t> mask, int z, Body&& body) {
  const Box& box = image.stored;
  for (int y = box.lo[1]; y < box.hi[1]; ++y)
    for (int x = box.lo[2]; x < box.hi[2]; ++x)
      if (!mask || mask(z, y, x)) body(static_cast<double>(image(z, y, x)));
}

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

IntensityModel intensity_model(Context& ctx, const char* name, View<const float> image,
                               View<const std::uint8_t> mask) {
  const Box& box = image.stored;
  const auto moments = parallel_sum<Moments>(ctx, box.size(0), [&](std::int64_t i, int) {
    Moments m;
    for_plane(image, mask, box.lo[0] + static_cast<int>(i),
              [&](double v) { m += Moments{1, v, v * v, v, v}; });
    return m;
  });
  require(moments.count > 0, std::string(name) + ": no voxel lies inside the mask");
  require(moments.hi > moments.lo, std::string(name) + ": every voxel is " +
                                       std::to_string(moments.lo) +
                                       ", an image with some contrast is needed");
  constexpr int bins = 4096;
  const double scale = bins / (moments.hi - moments.lo);
  const auto counts = parallel_sum<Counts>(ctx, box.size(0), [&](std::int64_t i, int) {
    Counts c{std::vector<std::int64_t>(bins, 0)};
    for_plane(image, mask, box.lo[0] + static_cast<int>(i), [&](double v) {
      ++c.bins[std::min(bins - 1, static_cast<int>((v - moments.lo) * scale))];
    });
    return c;
  });
  const auto quantile = [&](double q) {
    double below = 0;
    for (int b = 0; b < bins; ++b) {
      const double next = below + static_cast<double>(counts.bins[b]);
      if (next >= q * moments.count && next > below)
        return moments.lo + (b + (q * moments.count - below) / (next - below)) / scale;
      below = next;
    }
    return moments.hi;
  };
  IntensityModel model;
  const double mean = moments.sum / moments.count;
  model.mean = static_cast<float>(mean);
  model.variance = static_cast<float>(moments.squares / moments.count - mean * mean);
  model.lo = static_cast<float>(quantile(0.001));
  model.hi = static_cast<float>(quantile(0.999));
  if (!(model.hi > model.lo)) {
    model.lo = static_cast<float>(moments.lo);
    model.hi = static_cast<float>(moments.hi);
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
