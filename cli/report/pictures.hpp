// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string>
#include <vector>

#include "ffdp/core/grid.hpp"

namespace ffdp::cli::report {

/// The names of the ends of an axis of a grid: L, R, A, P, S, I or, in a plain 2-D image, -x, +x,
/// ...
struct AxisNames {
  int world = 0;          ///< the nearest axis of the world (LPS): 0, 1, 2 for x, y, z
  std::string low, high;  ///< the end at voxel 0, and the other end
};

/// One picture of an image: voxels of a plane of its grid, in the order of the screen.
struct Picture {
  std::string plane;  ///< "axial", "coronal", "sagittal" or, of a 2-D image, "plane x, y"
  int across = 0,
      index = 0;  ///< the plane: the axis (z, y, x) across it, and its index there [voxels]
  int right = 2, down = 1;          ///< axes (z, y, x) along the picture
  std::vector<int> columns, rows;   ///< voxels from left to right, from top to bottom
  std::array<std::string, 4> ends;  ///< names at the left, right, top and bottom edge
  std::string position;             ///< of the plane, in words: "S 12.3 mm"
  double width_mm = 0, height_mm = 0;

  std::size_t pixels() const { return columns.size() * rows.size(); }
  /// The voxel (z, y, x) of a pixel.
  Int3 voxel(std::size_t row, std::size_t column) const;
};

/// Names of the axes z, y, x of a grid. Each has another axis of the world.
std::array<AxisNames, 3> name_axes(const Grid& grid);

/// The largest angle between an axis of the grid and the axis of the world in its name [degrees].
double obliqueness(const Grid& grid);

/// The pictures of a grid: `positions` planes across each axis of a volume; the one plane of a
/// slice. The screen is the radiologist's: right at the left, anterior or superior at the top.
std::vector<Picture> choose_pictures(const Grid& grid, int positions);

/// World points of all pixels, picture by picture, row by row [mm, LPS].
std::vector<Vec3> points_of(const Grid& grid, const std::vector<Picture>& pictures);

}  // namespace ffdp::cli::report
