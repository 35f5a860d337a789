// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/adam/adam.hpp"

namespace ffdp::adam {
namespace cpu {
double step(Context&, const Params&, Box domain, Box compute, VectorView<float> grad,
            VectorView<float> first, VectorView<float> second);
}
namespace cuda {
double step(Context&, const Params&, Box domain, Box compute, VectorView<float> grad,
            VectorView<float> first, VectorView<float> second);
}
}  // namespace ffdp::adam
