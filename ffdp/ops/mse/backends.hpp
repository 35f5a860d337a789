// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/mse/mse.hpp"

namespace ffdp::mse {

/// The functions of a backend, for dispatch: cpu.cpp defines On<Backend::cpu>, cuda.cu
/// On<Backend::cuda>.
template <Backend>
struct On {
  static void forward_backward(Context&, const Params&, Box domain, Box compute,
                               const Images<float>& images, View<float> grad, MetricSum* sum);
};

}  // namespace ffdp::mse
