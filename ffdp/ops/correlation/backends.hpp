// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/correlation/correlation.hpp"

namespace ffdp::correlation {

/// The functions of a backend, for dispatch: cpu.cpp defines On<Backend::cpu>, cuda.cu
/// On<Backend::cuda>.
template <Backend>
struct On {
  template <class T>
  static void forward_backward(Context&, const Params&, Box domain, Box compute,
                               const Images<T>& images, const T* centres, View<const T> weight,
                               const Outputs<T>& outputs);
};

}  // namespace ffdp::correlation
