// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/smooth/smooth.hpp"

namespace ffdp::smooth {

/// The functions of a backend, for dispatch: cpu.cpp defines On<Backend::cpu>, cuda.cu
/// On<Backend::cuda>.
template <Backend>
struct On {
  static void forward(Context&, const Params&, Box domain, Box compute, View<const float> in,
                      View<float> out);
  static void forward(Context&, const Params&, Box domain, Box compute, VectorView<const float> in,
                      VectorView<float> out);
  static void backward(Context&, const Params&, Box domain, Box compute, View<const float> grad_out,
                       View<float> grad_in);
};

}  // namespace ffdp::smooth
