// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/gc/gc.hpp"

namespace ffdp::gc {
namespace cpu {
void accumulate(Context&, const Params&, Box domain, Box compute, View<const float> fixed,
                View<const float> warped, std::int64_t* sums);
void evaluate(Context&, const Params&, const std::int64_t* sums, float* slope, MetricSum* result);
void backward(Context&, const Params&, Box domain, Box compute, float scale, const float* slope,
              View<const float> fixed, View<const float> warped, View<float> grad);
}  // namespace cpu
namespace cuda {
void accumulate(Context&, const Params&, Box domain, Box compute, View<const float> fixed,
                View<const float> warped, std::int64_t* sums);
void evaluate(Context&, const Params&, const std::int64_t* sums, float* slope, MetricSum* result);
void backward(Context&, const Params&, Box domain, Box compute, float scale, const float* slope,
              View<const float> fixed, View<const float> warped, View<float> grad);
}  // namespace cuda
}  // namespace ffdp::gc
