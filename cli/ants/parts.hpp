// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/common.hpp"

#include "ffdp/transforms/composite_transform.hpp"

namespace ffdp::cli::ants {

/// One transform of those that a registration is made of: an affine, or a warp with its inverse.
struct Part {
  std::string type;  ///< in its file's name: "Rigid", "Affine", "Warp", ...
  Affine affine;     ///< LPS mm, where there is no warp
  std::shared_ptr<const DisplacementImage> warp, inverse;  ///< null: none, or not known yet
  bool written = true;      ///< ANTs writes no transform that was read from a file by itself
  bool has_inverse = true;  ///< ANTs writes an inverse of this kind of warp
};

/// In the order of ANTs' files: a point meets the last one first.
using Parts = std::vector<Part>;

/// The chain, from points of the fixed image to the moving one, and the other way.
transforms::CompositeTransform chain_of(const Parts& parts);
transforms::CompositeTransform inverse_chain_of(Context& ctx, Parts& parts);

/// The affine that all parts together are; null where there is a warp among them.
std::unique_ptr<Affine> affine_of(const Parts& parts);

/// Neighbours that are affine as one GenericAffine, and neighbours that are warps as one Warp.
/// @param grid  that of a warp made of several
Parts collapsed(Context& ctx, const Grid& grid, Parts parts);

/// Fills in the inverse of a warp that came without one.
void need_inverse(Context& ctx, Part& part);

}  // namespace ffdp::cli::ants
