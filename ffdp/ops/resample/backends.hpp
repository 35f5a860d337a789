// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/resample/resample.hpp"

namespace ffdp::resample {

/// The functions of a backend, for dispatch: cpu.cpp defines On<Backend::cpu>, cuda.cu
/// On<Backend::cuda>.
template <Backend>
struct On {
  template <class T>
  static void forward(Context&, const Params&, Box image_domain, Box compute,
                      const Inputs<T>& inputs, Into into, VectorView<T> out);
  template <class T>
  static void backward(Context&, const Params&, Box image_domain, Box compute,
                       const Inputs<T>& inputs, VectorView<const T> grad_out,
                       const Gradients<T>& gradients);
};

}  // namespace ffdp::resample
