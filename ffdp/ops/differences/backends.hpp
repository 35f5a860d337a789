// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/differences/differences.hpp"

namespace ffdp::differences {
namespace cpu {
template <class T>
void forward(Context&, const Params&, Box domain, Box compute, View<const T> u, double* sum);
template <class T>
void backward(Context&, const Params&, Box domain, Box compute, View<const T> u, const T* scale,
              View<T> grad);
}  // namespace cpu
namespace cuda {
void forward(Context&, const Params&, Box domain, Box compute, View<const float> u, double* sum);
void backward(Context&, const Params&, Box domain, Box compute, View<const float> u,
              const float* scale, View<float> grad);
}  // namespace cuda
}  // namespace ffdp::differences
