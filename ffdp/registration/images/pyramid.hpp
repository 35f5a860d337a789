// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/context.hpp"
#include "ffdp/core/image.hpp"
#include "ffdp/dist/comm.hpp"
#include "ffdp/registration/images/pair.hpp"

namespace ffdp::registration {

/// Grid of a level of about `spacing` [mm]. Axes that are already coarser do not shrink, so that
/// anisotropic images shrink towards isotropy. The extent stays the same. No axis shrinks below
/// `least` voxels.
Grid level_grid(const Grid& full, double spacing, int least);

/// Smallest spacing of the axes that have more than one voxel [mm].
double finest_spacing(const Grid& grid);

/// The spacing of a linear level [mm]: `resolution` times the finest one, or more, where the level
/// would have more voxels than about `most_voxels` (0: no limit).
double linear_spacing(const Grid& full, double resolution, double most_voxels);

/// The spacing of a level [mm]: `wanted`, or a finer one if a mask would lose a quarter of its
/// volume or keep fewer voxels than a cube (in a slice: a square) eight voxels wide. Collective.
double masked_spacing(Context& ctx, dist::Comm& comm, const Pair& pair, double wanted);

/// The image on the level grid (Gaussian and resampling, ops/resize). Collective.
/// @param image  stored over at least what this rank owns
/// @return stored over what this rank owns of the level
Image<float> shrink_to(Context& ctx, dist::Comm& comm, const ImageRef& image, const Grid& level);

/// An image and its mask on a level grid.
struct MaskedImage {
  Image<float> image;
  Image<std::uint8_t> mask;
};

/// The image and its mask on the level grid (normalised convolution). Voxels that the mask hides
/// have no influence. A voxel of the level counts if the mask covers half of it; if the mask is so
/// thin that this loses half of its volume, a quarter of it, an eighth, ... Collective, stored as
/// above.
/// @param mask  on the grid of the image, not empty
MaskedImage shrink_to(Context& ctx, dist::Comm& comm, const ImageRef& image,
                      const Image<std::uint8_t>& mask, const Grid& level);

}  // namespace ffdp::registration
