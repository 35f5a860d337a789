// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/slopes/slopes.hpp"

namespace ffdp::slopes {

/// The functions of a backend, for dispatch: cpu.cpp defines On<Backend::cpu>, cuda.cu
/// On<Backend::cuda>.
template <Backend>
struct On {
  static void backward(Context&, Box domain, Box compute, float scale, View<const float> warped,
                       View<const float> grad_warped, VectorView<float> grad_s, Into into);
};

}  // namespace ffdp::slopes
