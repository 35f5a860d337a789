// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/jacobian/jacobian.hpp"

namespace ffdp::jacobian {

/// The functions of a backend, for dispatch: cpu.cpp defines On<Backend::cpu>, cuda.cu
/// On<Backend::cuda>.
template <Backend>
struct On {
  static void forward(Context& ctx, const Box& domain, const Box& compute,
                      const VectorView<const float>& displacement, const View<float>& determinant);
  static PlaneSums<Statistics> statistics(Context& ctx, const Box& domain, const Box& compute,
                                          const VectorView<const float>& displacement,
                                          const View<const std::uint8_t>& mask);
  static std::vector<Int3> voxels_below(Context& ctx, const Box& domain, const Box& compute,
                                        double least, const VectorView<const float>& displacement);
};

}  // namespace ffdp::jacobian
