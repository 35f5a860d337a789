// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cli/report/pictures.hpp"

#include "ffdp/core/context.hpp"

/// Maps of a warp at the pixels of pictures of its grid. Files are read some planes at a time.
namespace ffdp::cli::report {

struct WarpMaps {
  std::vector<double> determinant;  ///< of the Jacobian [1]; NaN where the warp has no value
  std::vector<Vec3> displacement;   ///< [mm, LPS]; likewise
};

/// @param path      displacement field in a NIfTI file
/// @param pictures  of its grid
WarpMaps warp_maps(Context& ctx, const std::string& path, const std::vector<Picture>& pictures);

/// The distance between each point and its image through a warp and then the inverse [mm]; NaN if
/// the point leaves the grid of the inverse.
/// @param points        [mm, LPS]
/// @param displacement  of the warp at the points [mm, LPS]
/// @param inverse_path  displacement field of the inverse
std::vector<double> inverse_consistency(const std::string& inverse_path,
                                        const std::vector<Vec3>& points,
                                        const std::vector<Vec3>& displacement);

}  // namespace ffdp::cli::report
