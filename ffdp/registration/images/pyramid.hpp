// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/context.hpp"
#include "ffdp/core/image.hpp"

namespace ffdp::registration {

/// Grid of a level of about `spacing` [mm]: axes already coarser stay as they are, so that
/// anisotropic images shrink towards isotropy; the extent stays the same. No axis drops below
/// `least` voxels unless it has fewer.
Grid level_grid(const Grid& full, double spacing, int least);

/// Smallest spacing of the axes that have more than one voxel [mm].
double finest_spacing(const Grid& grid);

/// The image on the level grid (Gaussian and resampling, ops/resize).
Image<float> shrink_to(Context& ctx, const ImageRef& image, const Grid& level);

/// A mask on the level grid: a voxel counts where at least half of it did.
Image<std::uint8_t> shrink_to(Context& ctx, const Image<std::uint8_t>& mask, const Grid& level);

}  // namespace ffdp::registration
