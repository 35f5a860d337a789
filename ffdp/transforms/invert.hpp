// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/context.hpp"
#include "ffdp/core/image.hpp"
#include "ffdp/ops/invert/invert.hpp"

namespace ffdp::transforms {

/// Inverse of a displacement in voxels, and how well it was met.
VectorField<float> inverse_warp(Context& ctx, const VectorField<float>& displacement,
                                double tolerance, invert::Residual* residual);

/// The displacement of the inverse map on the same grid: e with (Id + d)(p + e(p)) = p.
struct InverseDisplacement {
  DisplacementImage image;
  invert::Residual residual;  ///< over the whole grid [voxels]
};
InverseDisplacement invert_displacement(Context& ctx, double tolerance_voxels,
                                        const DisplacementImage& displacement);

}  // namespace ffdp::transforms
