// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/gc/gc.hpp"

namespace ffdp::gc {

/// The functions of a backend, for dispatch: cpu.cpp defines On<Backend::cpu>, cuda.cu
/// On<Backend::cuda>.
template <Backend>
struct On {
  static void accumulate(Context&, const Params&, Box domain, Box compute,
                         const Images<float>& images, std::int64_t* sums);
  static void evaluate(Context&, const Params&, const std::int64_t* sums, float* slope,
                       MetricSum* result);
  static void backward(Context&, const Params&, Box domain, Box compute, float scale,
                       const float* slope, const Images<float>& images, View<float> grad);
};

}  // namespace ffdp::gc
