// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/sampler/sampler.hpp"

namespace ffdp::sampler {
namespace cpu {
std::int64_t forward(Context&, const Params&, Box domain, Box compute, View<const float> moving,
                     VectorView<const float> displacement, const Masks& masks, View<float> warped);
void backward_displacement(Context&, const Params&, Box domain, Box compute, float scale,
                           View<const float> moving, VectorView<const float> displacement,
                           View<const float> grad_warped, VectorView<float> grad_u, Into into);
void forward_part(Context&, const Params&, Box domain, Box compute, View<const float> moving,
                  VectorView<const float> displacement, const Masks& masks, View<float> warped,
                  VectorView<float> slopes);
void backward_slopes(Context&, const Params&, Box domain, Box compute, float scale,
                     VectorView<const float> slopes, View<const float> grad_warped,
                     VectorView<float> grad_u, Into into);
PlaneSums<AffineGradient> backward_affine(Context&, const Params&, Box domain, Box compute,
                                          View<const float> moving,
                                          VectorView<const float> displacement,
                                          View<const float> grad_warped);
void backward_moving(Context&, const Params&, Box domain, Box compute,
                     VectorView<const float> displacement, View<const float> grad_warped,
                     View<float> grad_moving);
}  // namespace cpu
namespace cuda {
std::int64_t forward(Context&, const Params&, Box domain, Box compute, const ImageView& moving,
                     VectorView<const float> displacement, const Masks& masks, View<float> warped);
void forward_uncounted(Context&, const Params&, Box domain, Box compute, const ImageView& moving,
                       VectorView<const float> displacement, const Masks& masks,
                       View<float> warped);
void backward_displacement(Context&, const Params&, Box domain, Box compute, float scale,
                           const ImageView& moving, VectorView<const float> displacement,
                           View<const float> grad_warped, VectorView<float> grad_u, Into into);
void forward_part(Context&, const Params&, Box domain, Box compute, const ImageView& moving,
                  VectorView<const float> displacement, const Masks& masks, View<float> warped,
                  VectorView<float> slopes);
void backward_slopes(Context&, const Params&, Box domain, Box compute, float scale,
                     VectorView<const float> slopes, View<const float> grad_warped,
                     VectorView<float> grad_u, Into into);
PlaneSums<AffineGradient> backward_affine(Context&, const Params&, Box domain, Box compute,
                                          const ImageView& moving,
                                          VectorView<const float> displacement,
                                          View<const float> grad_warped);
void backward_moving(Context&, const Params&, Box domain, Box compute,
                     VectorView<const float> displacement, View<const float> grad_warped,
                     View<float> grad_moving);
}  // namespace cuda
}  // namespace ffdp::sampler
