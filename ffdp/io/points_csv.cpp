// SPDX-License-Identifier: Apache-2.0
#include "ffdp/io/points_csv.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "ffdp/core/error.hpp"
#include "ffdp/io/atomic_file.hpp"
#include "ffdp/io/byte_source.hpp"

namespace ffdp::io {
namespace {

constexpr std::size_t most_bytes = std::size_t{1} << 28;

std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (char c : line) {
    if (c == '"') quoted = !quoted;
    if (c == ',' && !quoted)
      cells.emplace_back();
    else
      cells.back() += c;
  }
  return cells;
}

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t\"");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t\"") - first + 1);
}

double number(const std::string& path, std::size_t line, const std::string& cell) {
  const std::string text = trimmed(cell);
  std::size_t used = 0;
  double value = 0;
  try {
    value = std::stod(text, &used);
  } catch (const std::exception&) {
    used = 0;
  }
  if (text.empty() || used != text.size())
    throw IoError(path + ": line " + std::to_string(line) + ": got '" + text +
                  "', a number is wanted");
  return value;
}

/// Column of x, y, z in the table; -1 where there is none.
std::array<int, 3> axis_columns(const std::vector<std::string>& columns) {
  std::array<int, 3> at{-1, -1, -1};
  for (std::size_t axis = 0; axis < 3; ++axis)
    for (std::size_t c = 0; c < columns.size() && at[axis] < 0; ++c) {
      const std::string name = trimmed(columns[c]);
      if (name.size() == 1 && (name[0] | 0x20) == "xyz"[axis]) at[axis] = static_cast<int>(c);
    }
  return at;
}

}  // namespace

PointsTable read_points(const std::string& path) {
  std::string content = read_file(path, most_bytes);
  PointsTable table;
  std::array<int, 3> at{};
  std::size_t line_number = 0, begin = 0;
  while (begin < content.size()) {
    const std::size_t end = std::min(content.find('\n', begin), content.size());
    std::string line = content.substr(begin, end - begin);
    begin = end + 1;
    ++line_number;
    if (!line.empty() && line.back() == '\r') {
      line.pop_back();
      table.line_end = "\r\n";
    }
    if (trimmed(line).empty()) continue;
    std::vector<std::string> cells = split(line);
    if (table.columns.empty()) {
      at = axis_columns(cells);
      if (at[0] < 0 || at[1] < 0)
        throw IoError(path + ": line 1 is '" + line.substr(0, 60) +
                      "', a header with the columns x,y,z is wanted");
      table.columns = std::move(cells);
      continue;
    }
    if (cells.size() < table.columns.size())
      throw IoError(path + ": line " + std::to_string(line_number) + " has " +
                    std::to_string(cells.size()) + " cells, " +
                    std::to_string(table.columns.size()) + " are wanted");
    Vec3 p{};
    for (std::size_t axis = 0; axis < 3; ++axis)
      if (at[axis] >= 0)
        p[axis] = number(path, line_number, cells[static_cast<std::size_t>(at[axis])]);
    table.points.push_back(p);
    table.cells.push_back(std::move(cells));
  }
  if (table.columns.empty()) throw IoError(path + ": is empty, a header x,y,z,t is wanted");
  return table;
}

void write_points(const std::string& path, const PointsTable& table) {
  const std::array<int, 3> at = axis_columns(table.columns);
  std::string text;
  const auto append_row = [&](const std::vector<std::string>& cells) {
    for (std::size_t c = 0; c < cells.size(); ++c) {
      if (c > 0) text += ',';
      text += cells[c];
    }
    text += table.line_end;
  };
  append_row(table.columns);
  for (std::size_t row = 0; row < table.points.size(); ++row) {
    std::vector<std::string> cells = table.cells[row];
    for (std::size_t axis = 0; axis < 3; ++axis) {
      if (at[axis] < 0) continue;
      char digits[40];
      std::snprintf(digits, sizeof(digits), "%.10g", table.points[row][axis]);
      cells[static_cast<std::size_t>(at[axis])] = digits;
    }
    append_row(cells);
  }
  write_file(path, text);
}

}  // namespace ffdp::io
