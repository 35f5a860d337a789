// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/mi/mi.hpp"

namespace ffdp::mi {

/// The functions of a backend, for dispatch: cpu.cpp defines On<Backend::cpu>, cuda.cu
/// On<Backend::cuda>.
template <Backend>
struct On {
  static void accumulate(Context&, const Params&, Box domain, Box compute,
                         const Images<float>& images, std::int64_t* counts);
  static void evaluate(Context&, const Params&, const std::int64_t* counts, float* derivative,
                       MetricSum* result);
  static void backward(Context&, const Params&, Box domain, Box compute, float scale,
                       const float* derivative, const Images<float>& images, View<float> grad);
};

}  // namespace ffdp::mi
