// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/metrics/two_pass.hpp"

namespace ffdp::registration::two_pass {
namespace {

bool is_gc(const MetricConfig& config) { return config.kind == MetricKind::gc; }
std::size_t cells(const MetricConfig& config) {
  return static_cast<std::size_t>(config.bins) * config.bins;
}

}  // namespace

std::size_t sum_count(const MetricConfig& config) {
  return is_gc(config) ? gc::Sums{}.size() : cells(config) + 1;
}

std::size_t slope_count(const MetricConfig& config) {
  return is_gc(config) ? gc::Slope{}.size() : cells(config);
}

void accumulate(Context& ctx, const Metric& metric, const Box& domain, const Box& box,
                const Images<float>& images, std::int64_t* sums) {
  if (is_gc(metric.config))
    gc::accumulate(ctx, metric.gc(), domain, box, images, sums);
  else
    mi::accumulate(ctx, metric.mi(), domain, box, images, sums);
}

void evaluate(Context& ctx, const Metric& metric, const std::int64_t* sums, float* slope,
              MetricSum* result) {
  if (is_gc(metric.config))
    gc::evaluate(ctx, metric.gc(), sums, slope, result);
  else
    mi::evaluate(ctx, metric.mi(), sums, slope, result);
}

void backward(Context& ctx, const Metric& metric, const Box& domain, const Box& box, float scale,
              const float* slope, const Images<float>& images, View<float> grad) {
  if (is_gc(metric.config))
    gc::backward(ctx, metric.gc(), domain, box, scale, slope, images, grad);
  else
    mi::backward(ctx, metric.mi(), domain, box, scale, slope, images, grad);
}

}  // namespace ffdp::registration::two_pass
