// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "ffdp/core/context.hpp"
#include "ffdp/core/image.hpp"

namespace ffdp::registration {

/// Throws InvalidArgument naming `name` unless the image can be registered: finite voxels, at least
/// two voxels along x and y, some contrast.
void require_registrable(Context& ctx, const std::string& name, const Image<float>& image);

/// Clamps intensities to the quantiles `lo` and `hi` (of all voxels, 0 to 1), in place.
void winsorize(Context& ctx, Image<float>& image, double lo, double hi);

/// Maps the intensities of `image` so that its distribution above its mean resembles that of
/// `reference`: piecewise linear between 12 matched quantiles of 256 levels (ITK's
/// HistogramMatchingImageFilter with ThresholdAtMeanIntensity).
void match_histogram(Context& ctx, Image<float>& image, const Image<float>& reference);

/// Shifts and scales the robust range of the image to [0, 1], in place.
void normalize(Context& ctx, const std::string& name, Image<float>& image);

}  // namespace ffdp::registration
