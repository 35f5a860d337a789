// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/jacobian/jacobian.hpp"

namespace ffdp::jacobian {

namespace cpu {
void forward(Context& ctx, const Box& domain, const Box& compute,
             const VectorView<const float>& displacement, const View<float>& determinant);
PlaneSums<Statistics> statistics(Context& ctx, const Box& domain, const Box& compute,
                                 const VectorView<const float>& displacement,
                                 const View<const std::uint8_t>& mask);
std::vector<Int3> voxels_below(Context& ctx, const Box& domain, const Box& compute, double least,
                               const VectorView<const float>& displacement);
}  // namespace cpu

namespace cuda {
void forward(Context& ctx, const Box& domain, const Box& compute,
             const VectorView<const float>& displacement, const View<float>& determinant);
PlaneSums<Statistics> statistics(Context& ctx, const Box& domain, const Box& compute,
                                 const VectorView<const float>& displacement,
                                 const View<const std::uint8_t>& mask);
std::vector<Int3> voxels_below(Context& ctx, const Box& domain, const Box& compute, double least,
                               const VectorView<const float>& displacement);
}  // namespace cuda

}  // namespace ffdp::jacobian
