// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/slopes/slopes.hpp"

namespace ffdp::slopes {

/// The functions of a backend, for dispatch: cpu.cpp defines On<Backend::cpu>, cuda.cu
/// On<Backend::cuda>.
template <Backend>
struct On {
  static void backward(Context&, Box domain, Box compute, View<const float> warped,
                       View<const float> grad_warped, const ScaledGradient& to);
};

}  // namespace ffdp::slopes
