// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "ffdp/core/affine.hpp"

namespace ffdp::io {

/// A table of points as antsApplyTransformsToPoints, spreadsheets and viewers write it: a header
/// that names at least x and y (and z), LPS mm, one point a line. Other columns (t, label, comment,
/// ...) are kept as text, and so is the way the table is written: byte order mark, line ends (also
/// CR alone), commas, semicolons (with decimal commas or points) or tabs between cells. Slicer's
/// .fcsv too: comments stay, and points in RAS are read and written as such.
struct PointsTable {
  std::vector<Vec3> points;  ///< [mm], LPS, x, y, z; NaN where a cell says so
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> cells;  ///< as read, x, y, z included
  std::string line_end = "\n";
  std::string before;  ///< as read: byte order mark, "sep=" line, comments
  char separator = ',';
  bool decimal_comma = false, header_line = true, ras = false;
};

/// Whether a name is one of a table of points: .csv, .tsv or .fcsv, upper or lower case.
bool is_points_name(const std::string& path);

/// Throws IoError naming the line where it is no such table.
PointsTable read_points(const std::string& path);
/// Writes the table with the columns x, y, z taken from table.points.
void write_points(const std::string& path, const PointsTable& table);

}  // namespace ffdp::io
