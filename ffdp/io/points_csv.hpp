// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "ffdp/core/affine.hpp"

namespace ffdp::io {

/// A table of points as antsApplyTransformsToPoints, spreadsheets and viewers write it: a header
/// that names at least x and y (and z), and one point per line, in LPS mm. Other columns (t, label,
/// comment, ...) are kept as text. The dialect is kept, too: byte order mark, line ends (also CR
/// alone), commas, semicolons (with decimal commas or points) or tabs between cells. Slicer's .fcsv
/// is also read: its comments are kept, and points in RAS are written in RAS again.
struct PointsTable {
  std::vector<Vec3> points;  ///< [mm], LPS, x, y, z; NaN if a cell says so
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> cells;  ///< as read, x, y, z included
  std::string line_end = "\n";
  std::string before;  ///< as read: byte order mark, "sep=" line, comments
  char separator = ',';
  bool decimal_comma = false, header_line = true, ras = false;
};

/// Whether a name is that of a table of points: .csv, .tsv or .fcsv, in upper or lower case.
bool is_points_name(const std::string& path);

/// Throws IoError, which names the line, if the file is not such a table.
PointsTable read_points(const std::string& path);
/// Writes the table; its columns x, y, z are taken from table.points.
void write_points(const std::string& path, const PointsTable& table);

}  // namespace ffdp::io
