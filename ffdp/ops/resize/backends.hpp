// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "ffdp/ops/common/axis_weights.hpp"
#include "ffdp/ops/resize/resize.hpp"

namespace ffdp::resize {

namespace cpu {
void shrink(Context&, const std::array<AxisWeights, 3>& weights, Box reach, Box compute,
            View<const float> in, View<float> out);
void shrink_masked(Context&, const std::array<AxisWeights, 3>& weights, Box reach, Box compute,
                   View<const float> in, View<const std::uint8_t> mask, View<float> out,
                   View<float> coverage);
void displacement(Context&, Box from_domain, Box to_domain, Box compute, VectorView<const float> in,
                  VectorView<float> out);
}  // namespace cpu
namespace cuda {
void shrink(Context&, const std::array<AxisWeights, 3>& weights, Box reach, Box compute,
            const ImageView& in, View<float> out);
void shrink_masked(Context&, const std::array<AxisWeights, 3>& weights, Box reach, Box compute,
                   const ImageView& in, View<const std::uint8_t> mask, View<float> out,
                   View<float> coverage);
void displacement(Context&, Box from_domain, Box to_domain, Box compute, VectorView<const float> in,
                  VectorView<float> out);
}  // namespace cuda
}  // namespace ffdp::resize
