// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/field.hpp"
#include "ffdp/core/grid.hpp"

namespace ffdp {

/// A scalar image: voxels and where they lie.
template <class T>
struct Image {
  Grid grid;
  Field<T> data;  ///< [z,y,x] stored over grid.domain()
};

/// A displacement in the world on a grid, as ANTs stores it: p -> p + d(p).
struct DisplacementImage {
  Grid grid;
  VectorField<float> data;  ///< [3,z,y,x] LPS mm; component c is world axis c (x, y, z)
};

}  // namespace ffdp
