// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/common.hpp"

#include "ffdp/transforms/composite_transform.hpp"

namespace ffdp::cli::ants {

/// One of the transforms of a registration: an affine, or a warp with its inverse.
struct Part {
  std::string type;  ///< part of its file name: "Rigid", "Affine", "Warp", ...
  Affine affine;     ///< LPS mm, if there is no warp
  std::shared_ptr<const DisplacementImage> warp, inverse;  ///< null: none, or not known yet
  bool written = true;      ///< ANTs writes no transform that was read from a file by itself
  bool has_inverse = true;  ///< ANTs writes an inverse of this kind of warp
};

/// Transforms in the order of ANTs' files: the last one is applied to a point first.
using Parts = std::vector<Part>;

/// The chain from points of the fixed image to the moving one, and its inverse.
transforms::CompositeTransform chain_of(const Parts& parts);
transforms::CompositeTransform inverse_chain_of(Context& ctx, Parts& parts);

/// All parts as one affine; null if one of them is a warp.
std::unique_ptr<Affine> affine_of(const Parts& parts);

/// Joins adjacent affines to one GenericAffine, and adjacent warps to one Warp.
/// @param grid  of a warp that is made of several
Parts collapsed(Context& ctx, const Grid& grid, Parts parts);

/// Computes the inverse of a warp that has none.
void need_inverse(Context& ctx, Part& part);

}  // namespace ffdp::cli::ants
