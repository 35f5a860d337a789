// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/invert/invert.hpp"

namespace ffdp::invert {

/// The functions of a backend, for dispatch: cpu.cpp defines On<Backend::cpu>, cuda.cu
/// On<Backend::cuda>.
template <Backend>
struct On {
  static PlaneSums<Residual> forward(Context&, const Params&, Box domain, Box compute,
                                     VectorView<const float> displacement,
                                     VectorView<float> inverse);
};

}  // namespace ffdp::invert
