// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/differences/differences.hpp"

namespace ffdp::differences {

/// The functions of a backend, for dispatch: cpu.cpp defines On<Backend::cpu>, cuda.cu
/// On<Backend::cuda>.
template <Backend>
struct On {
  template <class T>
  static void forward(Context&, const Params&, Box domain, Box compute, View<const T> u,
                      double* sum);
  template <class T>
  static void backward(Context&, const Params&, Box domain, Box compute, View<const T> u,
                       const T* scale, View<T> grad);
};

}  // namespace ffdp::differences
