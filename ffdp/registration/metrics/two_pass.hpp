// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/registration/metrics/metric.hpp"

/// Metrics of a whole image, whose gradient needs sums over the domain first: MI and GC. All
/// memory here is the backend's, and nothing waits.
namespace ffdp::registration::two_pass {

constexpr bool is(MetricKind kind) { return kind == MetricKind::mi || kind == MetricKind::gc; }

/// Numbers of 64 bits that are summed over the ranks, and of 32 that the gradient looks up.
std::size_t sum_count(const MetricConfig& config);
std::size_t slope_count(const MetricConfig& config);

/// Adds the voxels of `box` to the sums.
void accumulate(Context& ctx, const Metric& metric, const Box& domain, const Box& box,
                View<const float> fixed, View<const float> warped, std::int64_t* sums);
/// The measure, larger is better, and the number of voxels as its weight; and the slope.
void evaluate(Context& ctx, const Metric& metric, const std::int64_t* sums, float* slope,
              MetricSum* result);
/// d(measure)/d(warped), times `scale`, written over `box`.
void backward(Context& ctx, const Metric& metric, const Box& domain, const Box& box, float scale,
              const float* slope, View<const float> fixed, View<const float> warped,
              View<float> grad);

}  // namespace ffdp::registration::two_pass
