// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/sampler/sampler.hpp"

namespace ffdp::sampler {

/// The functions of a backend, for dispatch: cpu.cpp defines On<Backend::cpu>, cuda.cu
/// On<Backend::cuda>.
template <Backend>
struct On {
  static std::int64_t forward(Context&, const Params&, Box domain, Box compute,
                              const ImageView& moving, VectorView<const float> displacement,
                              const Masks& masks, View<float> warped);
  static void forward_uncounted(Context&, const Params&, Box domain, Box compute,
                                const ImageView& moving, VectorView<const float> displacement,
                                const Masks& masks, View<float> warped);
  static void backward_displacement(Context&, const Params&, Box domain, Box compute,
                                    const ImageView& moving, VectorView<const float> displacement,
                                    View<const float> grad_warped, const ScaledGradient& to);
  static void forward_part(Context&, const Params&, Box domain, Box compute,
                           const ImageView& moving, VectorView<const float> displacement,
                           const Masks& masks, const Samples& samples);
  static void backward_slopes(Context&, const Params&, Box domain, Box compute,
                              VectorView<const float> slopes, View<const float> grad_warped,
                              const ScaledGradient& to);
  static PlaneSums<AffineGradient> backward_affine(Context&, const Params&, Box domain, Box compute,
                                                   const ImageView& moving,
                                                   VectorView<const float> displacement,
                                                   View<const float> grad_warped);
  static void backward_moving(Context&, const Params&, Box domain, Box compute,
                              VectorView<const float> displacement, View<const float> grad_warped,
                              View<float> grad_moving);
};

}  // namespace ffdp::sampler
