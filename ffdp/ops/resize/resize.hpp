// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/context.hpp"
#include "ffdp/core/image_view.hpp"

namespace ffdp::resize {

/// Moves data between two grids of the same physical extent. Along an axis, voxel i of the grid of
/// n voxels has its centre at index (i + 0.5) N / n - 0.5 of the grid of N voxels.
struct Params {
  /// Width of the Gaussian: sigma = anti_alias x shrink factor of the axis [voxels of `from`]. An
  /// axis that does not shrink is not smoothed.
  double anti_alias = 0.5;
  friend bool operator==(const Params&, const Params&) = default;
};

/// The two grids.
struct Domains {
  Box from;  ///< whole image before
  Box to;    ///< whole image after
};

/// Shrinks (or keeps) every axis of a scalar image: Gaussian and resampling in one separable pass,
/// weights renormalised at the domain edge. `from` must not be smaller than `to` along any axis.
/// @param compute  voxels of the new image this call writes
/// @param in       [z,y,x] stored over at least what `shrink_reach` says; float32 on the CPU
/// @param out      [z,y,x] written over compute
void shrink(Context&, const Params&, const Domains& domains, Box compute, const ImageView& in,
            View<float> out);

/// The same for an image with a mask (normalised convolution): the mean of the voxels where the
/// mask is not 0, with the weights of `shrink`. Other voxels are not used and may be NaN.
/// @param mask      [z,y,x] stored over at least what `shrink_reach` says
/// @param out       [z,y,x] written over compute; 0 if no voxel counts
/// @param coverage  [z,y,x] written over compute: share of the weights that lies in the mask, 0 to
///                  1 [1]
void shrink_masked(Context&, const Params&, const Domains& domains, Box compute,
                   const ImageView& in, View<const std::uint8_t> mask, View<float> out,
                   View<float> coverage);

/// Voxels of `from` that `shrink` reads for `compute`.
Box shrink_reach(const Params&, const Domains& domains, const Box& compute);

/// Interpolates a displacement trilinearly at the voxel centres of the other grid (edge values
/// beyond the outer centres) and rescales it to voxels of that grid. Any sizes.
/// @param in   [3,z,y,x] u [voxels of from], stored over at least what interpolate_reach says
/// @param out  [3,z,y,x] u [voxels of to], written over compute
void displacement(Context&, const Params&, const Domains& domains, Box compute,
                  VectorView<const float> in, VectorView<float> out);

/// Voxels of `from` that `displacement` reads for `compute`.
Box interpolate_reach(const Domains& domains, const Box& compute);

}  // namespace ffdp::resize
