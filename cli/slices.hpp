// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "ffdp/registration/register.hpp"

namespace ffdp::cli {

/// Slices that do not lie in the x, y plane of the world, a sagittal one of 1 x 64 x 72 voxels say,
/// are registered as 2-D images in a frame in which they do.
class Slices {
 public:
  /// Puts the images into that frame where all are such slices; else changes nothing.
  Slices(Context& ctx, registration::Inputs& inputs);
  /// Puts the result back into the world.
  void restore(Context& ctx, registration::Result& result) const;

 private:
  bool turned_ = false;
  Grid fixed_;                        ///< as it was
  std::array<int, 3> axis_{0, 1, 2};  ///< of fixed, by axis of the frame: z, y, x
  Affine fixed_to_frame_, moving_to_frame_;
};

}  // namespace ffdp::cli
