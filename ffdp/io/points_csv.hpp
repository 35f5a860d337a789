// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "ffdp/core/affine.hpp"

namespace ffdp::io {

/// A table of points as antsApplyTransformsToPoints reads it: a header that names at least x and y
/// (and z), LPS mm, one point a line. Other columns (t, label, comment, ...) are kept as text.
struct PointsTable {
  std::vector<Vec3> points;  ///< [mm], LPS, x, y, z
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> cells;  ///< as read, x, y, z included
  std::string line_end = "\n";
};

PointsTable read_points(const std::string& path);
/// Writes the table with the columns x, y, z taken from table.points.
void write_points(const std::string& path, const PointsTable& table);

}  // namespace ffdp::io
