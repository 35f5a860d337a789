// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/registration/metrics/metric.hpp"

/// MI and GC: metrics whose gradient needs sums over the whole image first. All pointers here are
/// to memory of the backend, and nothing waits for the device.
namespace ffdp::registration::two_pass {

constexpr bool is(MetricKind kind) { return kind == MetricKind::mi || kind == MetricKind::gc; }

/// How many 64-bit sums a metric has, which are added over the ranks, and how many 32-bit values of
/// the slope its gradient reads.
std::size_t sum_count(const MetricConfig& config);
std::size_t slope_count(const MetricConfig& config);

/// Adds the voxels of `box` to the sums.
void accumulate(Context& ctx, const Metric& metric, const Box& domain, const Box& box,
                const Images<float>& images, std::int64_t* sums);
/// From the sums: the slope, and the measure (larger is better) with the number of voxels as its
/// weight.
void evaluate(Context& ctx, const Metric& metric, const std::int64_t* sums, float* slope,
              MetricSum* result);
/// d(measure)/d(warped), times `scale`, written over `box`.
void backward(Context& ctx, const Metric& metric, const Box& domain, const Box& box, float scale,
              const float* slope, const Images<float>& images, View<float> grad);

}  // namespace ffdp::registration::two_pass
