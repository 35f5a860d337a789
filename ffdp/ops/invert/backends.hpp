// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/invert/invert.hpp"

namespace ffdp::invert {
namespace cpu {
PlaneSums<Residual> forward(Context&, const Params&, Box domain, Box compute,
                            VectorView<const float> displacement, VectorView<float> inverse);
}
namespace cuda {
PlaneSums<Residual> forward(Context&, const Params&, Box domain, Box compute,
                            VectorView<const float> displacement, VectorView<float> inverse);
}
}  // namespace ffdp::invert
