// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "ffdp/ops/common/axis_weights.hpp"
#include "ffdp/ops/resize/resize.hpp"

namespace ffdp::resize {

/// The functions of a backend, for dispatch: cpu.cpp defines On<Backend::cpu>, cuda.cu
/// On<Backend::cuda>.
template <Backend>
struct On {
  static void shrink(Context&, const std::array<AxisWeights, 3>& weights, Box reach, Box compute,
                     const ImageView& in, View<float> out);
  static void shrink_masked(Context&, const std::array<AxisWeights, 3>& weights, Box reach,
                            Box compute, const ImageView& in, View<const std::uint8_t> mask,
                            View<float> out, View<float> coverage);
  static void displacement(Context&, const Domains& domains, Box compute,
                           VectorView<const float> in, VectorView<float> out);
};

}  // namespace ffdp::resize
