// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/grid.hpp"

namespace ffdp::test {

/// A head of `size` voxels (z, y, x) of 4 mm.
inline Grid brain_grid(Int3 size = {40, 48, 44}) {
  Grid grid;
  grid.size = size;
  grid.spacing = {4, 4, 4};
  grid.origin = {-86, -94, -78};
  return grid;
}

}  // namespace ffdp::test
