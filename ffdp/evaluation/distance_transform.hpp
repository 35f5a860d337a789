// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "ffdp/core/affine.hpp"
#include "ffdp/core/context.hpp"
#include "ffdp/core/field.hpp"

namespace ffdp::evaluation {

/// Exact squared Euclidean distance from every voxel centre to the nearest one of a set, by lower
/// envelopes of parabolas, axis by axis (Felzenszwalb and Huttenlocher 2012).
/// @param set      [z,y,x] nonzero in the set
/// @param spacing  [mm], z, y, x
/// @return         [z,y,x] [mm^2] stored as `set`; infinite everywhere if the set is empty
Field<float> squared_distance(Context& ctx, const View<const std::uint8_t>& set,
                              const Vec3& spacing);

}  // namespace ffdp::evaluation
