// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string>
#include <vector>

#include "ffdp/core/grid.hpp"

namespace ffdp::cli::report {

/// What the ends of an axis of a grid are called: L, R, A, P, S, I or, in a plain 2-D image, -x...
struct AxisNames {
  int world = 0;          ///< 0, 1, 2: the axis x, y, z (LPS) of the world that it is nearest to
  std::string low, high;  ///< towards voxel 0, and away from it
};

/// One picture of an image: voxels of a plane of its grid, as they lie on the screen.
struct Picture {
  std::string plane;          ///< "axial", "coronal", "sagittal" or, of a 2-D image, "plane x, y"
  int across = 0, index = 0;  ///< the plane: axis (z, y, x) across it, and where on it [voxels]
  int right = 2, down = 1;    ///< axes (z, y, x) along the picture
  std::vector<int> columns, rows;   ///< voxels from left to right, from top to bottom
  std::array<std::string, 4> ends;  ///< names at the left, right, top and bottom edge
  std::string position;             ///< of the plane, in words: "S 12.3 mm"
  double width_mm = 0, height_mm = 0;

  std::size_t pixels() const { return columns.size() * rows.size(); }
  /// The voxel (z, y, x) of a pixel.
  Int3 voxel(std::size_t row, std::size_t column) const;
};

/// Names of the axes z, y, x of a grid. No two are called after the same axis of the world.
std::array<AxisNames, 3> name_axes(const Grid& grid);

/// The largest angle between an axis of the grid and the axis of the world it is called after
/// [degrees].
double obliqueness(const Grid& grid);

/// The pictures of a grid: `positions` planes across each axis of a volume; the one plane of a
/// slice. The screen is the radiologist's: right at the left, anterior or superior at the top.
std::vector<Picture> choose_pictures(const Grid& grid, int positions);

/// World points of all pixels, picture by picture, row by row [mm, LPS].
std::vector<Vec3> points_of(const Grid& grid, const std::vector<Picture>& pictures);

}  // namespace ffdp::cli::report
