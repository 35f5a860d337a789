// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/resample/resample.hpp"

namespace ffdp::resample {
namespace cpu {
template <class T>
void forward(Context&, const Params&, Box image_domain, Box compute, const Inputs<T>& inputs,
             Into into, VectorView<T> out);
template <class T>
void backward(Context&, const Params&, Box image_domain, Box compute, const Inputs<T>& inputs,
              VectorView<const T> grad_out, const Gradients<T>& gradients);
}  // namespace cpu
namespace cuda {
void forward(Context&, const Params&, Box image_domain, Box compute, const Inputs<float>& inputs,
             Into into, VectorView<float> out);
void backward(Context&, const Params&, Box image_domain, Box compute, const Inputs<float>& inputs,
              VectorView<const float> grad_out, const Gradients<float>& gradients);
}  // namespace cuda
}  // namespace ffdp::resample
