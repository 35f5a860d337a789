// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/adam/adam.hpp"

namespace ffdp::adam {

/// The functions of a backend, for dispatch: cpu.cpp defines On<Backend::cpu>, cuda.cu
/// On<Backend::cuda>.
template <Backend>
struct On {
  static double step(Context&, const Params&, Box domain, Box compute, VectorView<float> grad,
                     VectorView<float> first, VectorView<float> second);
};

}  // namespace ffdp::adam
