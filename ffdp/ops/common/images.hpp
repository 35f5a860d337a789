// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/view.hpp"

namespace ffdp {

/// The two images that a metric compares, in the grid of the fixed one. A metric says which voxels
/// of both it needs.
template <class T>
struct Images {
  View<const T> fixed;   ///< [z,y,x] intensity
  View<const T> warped;  ///< [z,y,x] intensity, the moving image resampled
};

}  // namespace ffdp
