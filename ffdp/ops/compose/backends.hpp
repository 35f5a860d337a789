// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/compose/compose.hpp"

namespace ffdp::compose {

/// The functions of a backend, for dispatch: cpu.cpp defines On<Backend::cpu>, cuda.cu
/// On<Backend::cuda>.
template <Backend>
struct On {
  static void forward(Context&, const Params&, Box domain, Box compute,
                      VectorView<const float> step, VectorView<const float> displacement,
                      VectorView<float> out);
};

}  // namespace ffdp::compose
