// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/smooth/smooth.hpp"

namespace ffdp::smooth {
namespace cpu {
void forward(Context&, const Params&, Box domain, Box compute, View<const float> in,
             View<float> out);
void forward(Context&, const Params&, Box domain, Box compute, VectorView<const float> in,
             VectorView<float> out);
void backward(Context&, const Params&, Box domain, Box compute, View<const float> grad_out,
              View<float> grad_in);
}  // namespace cpu
namespace cuda {
void forward(Context&, const Params&, Box domain, Box compute, View<const float> in,
             View<float> out);
void forward(Context&, const Params&, Box domain, Box compute, VectorView<const float> in,
             VectorView<float> out);
void backward(Context&, const Params&, Box domain, Box compute, View<const float> grad_out,
              View<float> grad_in);
}  // namespace cuda
}  // namespace ffdp::smooth
