// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "ffdp/core/context.hpp"
#include "ffdp/core/image.hpp"
#include "ffdp/dist/comm.hpp"

namespace ffdp::registration {

/// What a metric needs to know about one image; constant during a level and equal on all ranks.
struct IntensityModel {
  float mean = 0;        ///< [intensity]
  float variance = 1;    ///< [intensity^2]
  float lo = 0, hi = 1;  ///< robust range for MI [intensity]
};

/// Mean, variance and the 0.1 % and 99.9 % quantiles of the finite voxels, within `mask` if one is
/// given. Throws InvalidArgument if the image is constant. Collective.
/// @param image, mask  stored over at least what this rank owns
IntensityModel intensity_model(Context& ctx, dist::Comm& comm, const char* name,
                               const ImageRef& image, View<const std::uint8_t> mask);

}  // namespace ffdp::registration
