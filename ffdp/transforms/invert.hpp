// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "ffdp/core/context.hpp"
#include "ffdp/core/image.hpp"
#include "ffdp/dist/cut.hpp"
#include "ffdp/ops/invert/invert.hpp"

namespace ffdp::transforms {

/// Inverse of a displacement in voxels, and its residual. Collective.
/// @param cut           whole field, and what this rank owns of it
/// @param displacement  [3,z,y,x] u [voxels], stored over at least what this rank owns
/// @param residual      written, over the whole field; null if it is not wanted
/// @return [3,z,y,x] over what this rank owns
VectorField<float> inverse_warp(Context& ctx, dist::Comm& comm, const dist::Cut& cut,
                                const VectorField<float>& displacement, double tolerance,
                                invert::Residual* residual);

/// The displacement of the inverse map on the same grid: e with (Id + d)(p + e(p)) = p.
struct InverseDisplacement {
  DisplacementImage image;
  invert::Residual residual;  ///< over the whole grid [voxels]
};
InverseDisplacement invert_displacement(Context& ctx, double tolerance_voxels,
                                        const DisplacementImage& displacement);
/// The same on many ranks. Collective.
/// @param displacement  stored over at least what this rank owns of its grid; freed as soon as
///                      possible
/// @return the image stored over what this rank owns
InverseDisplacement invert_displacement(Context& ctx, dist::Comm& comm, double tolerance_voxels,
                                        std::shared_ptr<const DisplacementImage> displacement);

}  // namespace ffdp::transforms
