// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/host_device.hpp"

namespace ffdp::slopes {

/// Slope at `here` between two neighbours along an axis [intensity/voxel]; NaN is missing.
FFDP_HD inline float slope(float below, float here, float above) {
  const bool from_below = below == below, to_above = above == above;
  const float rise = (to_above ? above : here) - (from_below ? below : here);
  const float result = from_below && to_above ? 0.5F * rise : rise;
  return here == here ? result : 0.0F;
}

/// A slope times a factor; 0 where there is no slope, whatever the factor.
FFDP_HD inline float scaled(float slope, float factor) {
  return slope == 0.0F ? 0.0F : slope * factor;
}

}  // namespace ffdp::slopes
