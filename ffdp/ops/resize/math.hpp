// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/host_device.hpp"

namespace ffdp::resize {

/// Centre of voxel i of a grid of `to` voxels, as an index of the grid of `from` voxels.
FFDP_HD inline double centre(int i, int from, int to) { return (i + 0.5) * from / to - 0.5; }

}  // namespace ffdp::resize
