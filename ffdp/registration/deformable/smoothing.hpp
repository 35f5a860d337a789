// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "ffdp/core/grid.hpp"
#include "ffdp/ops/jacobian/jacobian.hpp"
#include "ffdp/ops/smooth/smooth.hpp"
#include "ffdp/ops/spline/spline.hpp"
#include "ffdp/registration/config.hpp"

namespace ffdp::registration {

/// The grid of a level.
/// @param full  fixed image
Grid grid_at(const DeformableStage& stage, std::size_t level, const Grid& full);

/// The radius of LNCC's windows where none is given: a 32nd of the size of the level, within 2 and
/// 6 [voxels]. Its size is the geometric mean of the axes that have more than one voxel.
int radius_for(const Int3& size);

/// The stage with the knots, radii and sigmas of one level only; made again, it stays the same.
/// @param size  of the level [voxels]
DeformableStage at_level(const DeformableStage& stage, int level, const Int3& size);

/// How much a warp changes volumes, for the limits of Gentle [1]: Statistics::mean_change, times
/// gentle.across / Statistics::extent where the extent is less.
/// @param finer  voxels of the level in one of the warp, along an axis
double change_of(const jacobian::Statistics& warp, double finer, const Gentle& gentle);

/// The stage of a level whose Gaussians are as wide as its start allows (Gentle).
/// @param change  change_of the warp it starts with; none without a warp
DeformableStage after_start(const DeformableStage& stage, std::optional<double> change);

/// Planes on each side that smoothing of the gradient (of the warp) reads, at the level that needs
/// most [voxels].
int update_reach(const DeformableStage& stage);
int warp_reach(const DeformableStage& stage);

/// How a field is smoothed at a level.
struct Smoothing {
  smooth::Params gaussian;  ///< does nothing if there is a spline
  std::optional<spline::Params> spline;
  int lead() const;  ///< planes on each side that it reads [voxels]
};

/// How a level smooths the gradient and the warp.
/// @param done    share of the iterations of the level, 0 to 1: Gaussians narrow by it
/// @param domain  of the level; axes of one voxel are not smoothed
Smoothing update_smoothing(const DeformableStage& stage, double done, const Box& domain);
Smoothing warp_smoothing(const DeformableStage& stage, double done, const Box& domain);

/// Smooths a field by the spline or the Gaussian; shapes as for spline::forward and
/// smooth::forward.
void smooth_field(Context& ctx, const Smoothing& smoothing, const Box& domain, const Box& compute,
                  VectorView<const float> in, VectorView<float> out);

}  // namespace ffdp::registration
