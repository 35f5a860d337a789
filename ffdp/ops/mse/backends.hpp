// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/mse/mse.hpp"

namespace ffdp::mse {
namespace cpu {
void forward_backward(Context&, const Params&, Box domain, Box compute, View<const float> fixed,
                      View<const float> warped, View<float> grad, MetricSum* sum);
}
namespace cuda {
void forward_backward(Context&, const Params&, Box domain, Box compute, View<const float> fixed,
                      View<const float> warped, View<float> grad, MetricSum* sum);
}
}  // namespace ffdp::mse
