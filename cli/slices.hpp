// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "ffdp/registration/register.hpp"

namespace ffdp::cli {

/// Registers slices that do not lie in the x, y plane of the world, for example a sagittal one of
/// 1 x 64 x 72 voxels, as 2-D images, by turning them into a frame in which they do.
class Slices {
 public:
  /// Turns the images into that frame if all are such slices; else changes nothing.
  Slices(Context& ctx, registration::Inputs& inputs);
  /// Turns the result back into the world.
  void restore(Context& ctx, registration::Result& result) const;

 private:
  bool turned_ = false;
  Grid fixed_;                        ///< as it was
  std::array<int, 3> axis_{0, 1, 2};  ///< of fixed, by axis of the frame: z, y, x
  Affine fixed_to_frame_, moving_to_frame_;
};

}  // namespace ffdp::cli
