// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/field.hpp"
#include "ffdp/core/grid.hpp"
#include "ffdp/core/image_view.hpp"

namespace ffdp {

/// A scalar image: its voxels and their grid.
template <class T>
struct Image {
  Grid grid;
  Field<T> data;  ///< [z,y,x] stored over grid.domain()
};

/// An image that somebody else owns, in any storage.
struct ImageRef {
  Grid grid;
  ImageView data;  ///< stored over grid.domain()

  ImageRef() = default;
  template <class T>
  ImageRef(const Image<T>& image) : grid(image.grid), data(image.data.view()) {}
};

/// A displacement in the world on a grid, as ANTs stores it: p -> p + d(p).
struct DisplacementImage {
  Grid grid;
  VectorField<float> data;  ///< [3,z,y,x] LPS mm; component c is world axis c (x, y, z)
};

}  // namespace ffdp
