// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/context.hpp"
#include "ffdp/core/image.hpp"
#include "ffdp/dist/comm.hpp"
#include "ffdp/registration/images/pair.hpp"

namespace ffdp::registration {

/// Grid of a level of about `spacing` [mm]: axes already coarser stay as they are, so that
/// anisotropic images shrink towards isotropy; the extent stays the same. No axis drops below
/// `least` voxels unless it has fewer.
Grid level_grid(const Grid& full, double spacing, int least);

/// Smallest spacing of the axes that have more than one voxel [mm].
double finest_spacing(const Grid& grid);

/// The spacing wanted of a level [mm], or a finer one where a mask would lose a quarter of its
/// volume there or keep fewer voxels than a cube (in a slice: square) eight wide.
/// Collective.
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

/// The image on the level grid as far as its mask lets it through (normalised convolution): what
/// the mask hides leaves no trace. A voxel counts where the mask covers half of it; where a mask is
/// so thin that this loses half of its volume, where it covers a quarter, an eighth, ...
/// Collective, stored as above.
/// @param mask  on the grid of the image, not empty
MaskedImage shrink_to(Context& ctx, dist::Comm& comm, const ImageRef& image,
                      const Image<std::uint8_t>& mask, const Grid& level);

}  // namespace ffdp::registration
