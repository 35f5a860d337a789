// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/correlation/correlation.hpp"

namespace ffdp::correlation {
namespace cpu {
template <class T>
void forward_backward(Context&, const Params&, Box domain, Box compute, View<const T> fixed,
                      View<const T> warped, View<const T> weight, const Outputs<T>& outputs);
}
namespace cuda {
void forward_backward(Context&, const Params&, Box domain, Box compute, View<const float> fixed,
                      View<const float> warped, const float* centres, View<const float> weight,
                      const Outputs<float>& outputs);
}
}  // namespace ffdp::correlation
