// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/context.hpp"
#include "ffdp/core/image.hpp"
#include "ffdp/dist/cut.hpp"
#include "ffdp/ops/jacobian/jacobian.hpp"

namespace ffdp::transforms {

/// Converts u [3,z,y,x] in voxels (components z, y, x) to a displacement in LPS mm, and back, in
/// place. The field may be stored over a part of the grid.
DisplacementImage to_world(Context& ctx, const Grid& grid, VectorField<float> displacement);
VectorField<float> to_voxels(Context& ctx, DisplacementImage displacement);

/// Sets vectors to NaN that mark places without a displacement: those with a NaN or infinite
/// component or longer than ten times the diagonal of the grid (1e20, -32768, ... mm). The field
/// may be stored over a part of the grid.
/// @param counted  a part of what is stored
/// @return the number of such vectors in `counted` [voxels]
std::int64_t mark_missing(DisplacementImage& displacement, const Box& counted);

/// Smooths u around voxels whose Jacobian determinant is below `least`, and nowhere else, until
/// there are none or `rounds` are over. Collective.
/// @param cut           whole field, and what this rank owns of it
/// @param displacement  [3,z,y,x] u [voxels], stored over what this rank owns
/// @return statistics of the determinant afterwards, over the whole field
jacobian::Statistics repair_folds(Context& ctx, dist::Comm& comm, const dist::Cut& cut,
                                  VectorField<float>& displacement, double least, int rounds);

}  // namespace ffdp::transforms
