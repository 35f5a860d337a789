// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/compose/compose.hpp"

namespace ffdp::compose {
namespace cpu {
void forward(Context&, const Params&, Box domain, Box compute, VectorView<const float> step,
             VectorView<const float> displacement, VectorView<float> out);
}
namespace cuda {
void forward(Context&, const Params&, Box domain, Box compute, VectorView<const float> step,
             VectorView<const float> displacement, VectorView<float> out);
}
}  // namespace ffdp::compose
