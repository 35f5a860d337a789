// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "ffdp/core/context.hpp"
#include "ffdp/core/image.hpp"
#include "ffdp/dist/comm.hpp"

namespace ffdp::registration {

/// An image to be prepared, and its mask. Voxels that the mask hides influence nothing. Image and
/// mask are stored over what this rank owns; all functions here are collective.
struct Prepared {
  const std::string& name;  ///< for messages
  Image<float>& image;
  View<const std::uint8_t> mask;  ///< [z,y,x] stored as the image; null: all voxels count
};

/// Throws InvalidArgument unless the image can be registered: at least two voxels along x and y,
/// some contrast inside the mask.
void require_registrable(Context& ctx, dist::Comm& comm, const Prepared& in);

/// Clamps intensities to the quantiles `lo` and `hi` (0 to 1), in place.
void winsorize(Context& ctx, dist::Comm& comm, const Prepared& in, double lo, double hi);

/// Maps the intensities of `in` so that its distribution above its mean resembles that of
/// `reference`: piecewise linear between 12 matched quantiles (ITK's HistogramMatchingImageFilter
/// with ThresholdAtMeanIntensity).
void match_histogram(Context& ctx, dist::Comm& comm, const Prepared& in, const Prepared& reference);

/// Shifts and scales the robust range of the image (0.1 to 99.9 %) to [0, 1], in place. If an
/// intensity (of a hot voxel) is further from that range than twice its width, the image is clamped
/// to it first. Voxels that the mask hides are replaced by a continuation of those inside.
void normalize(Context& ctx, dist::Comm& comm, const Prepared& in);

}  // namespace ffdp::registration
