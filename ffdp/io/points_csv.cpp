// SPDX-License-Identifier: Apache-2.0
#include "ffdp/io/points_csv.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "ffdp/core/error.hpp"
#include "ffdp/io/atomic_file.hpp"
#include "ffdp/io/byte_source.hpp"
#include "ffdp/io/text.hpp"

namespace ffdp::io {
namespace {

constexpr const char* blanks = " \t\"";  // around a cell

constexpr std::size_t most_bytes = std::size_t{1} << 28;

std::vector<std::string> split(const std::string& line, char separator) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (char c : line) {
    if (c == '"') quoted = !quoted;
    if (c == separator && !quoted)
      cells.emplace_back();
    else
      cells.back() += c;
  }
  return cells;
}

double number(const std::string& path, std::size_t line, const std::string& cell, bool comma) {
  std::string text = trimmed(cell, blanks);
  if (comma) std::replace(text.begin(), text.end(), ',', '.');
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
    for (std::size_t c = 0; c < columns.size() && at[axis] < 0; ++c)
      if (lower(trimmed(columns[c], blanks)) == std::string(1, "xyz"[axis]))
        at[axis] = static_cast<int>(c);
  return at;
}

/// The lines of a text, with LF, CR LF or CR at their ends.
std::vector<std::string> lines_of(const std::string& text, std::string& line_end) {
  const bool has_lf = text.find('\n') != std::string::npos;
  line_end = !has_lf && text.find('\r') != std::string::npos ? "\r"
             : text.find("\r\n") != std::string::npos        ? "\r\n"
                                                             : "\n";
  const char end = has_lf ? '\n' : line_end.front();
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t at = std::min(text.find(end, begin), text.size());
    lines.push_back(text.substr(begin, at - begin));
    if (lines.back().ends_with('\r')) lines.back().pop_back();
    begin = at + 1;
  }
  return lines;
}

/// The separator that makes most cells of a header: x and y are two.
char separator_of(const std::string& header) {
  for (const char separator : {',', ';', '\t'})
    if (axis_columns(split(header, separator))[1] >= 0) return separator;
  return ',';
}

/// A comment of Slicer's .fcsv: frame and columns.
void take_comment(const std::string& path, const std::string& line, PointsTable& table) {
  const auto equals = line.find('=');
  if (equals == std::string::npos) return;
  const std::string key = lower(trimmed(line.substr(1, equals - 1), blanks));
  const std::string value = trimmed(line.substr(equals + 1), blanks);
  if (key == "columns") {
    table.columns = split(value, ',');
    table.header_line = false;
  } else if (key == "coordinatesystem") {
    if (value != "0" && value != "1" && value != "RAS" && value != "LPS")
      throw IoError(path + ": points in the frame " + value + ", LPS or RAS is wanted");
    table.ras = value == "0" || value == "RAS";
  }
}

/// What comes before the points: marks, comments, the header. Returns the number of lines it took.
std::size_t read_header(const std::string& path, const std::vector<std::string>& lines,
                        PointsTable& table) {
  // Slicer's files before version 4.11 do not name the frame.
  table.ras = lower(path).ends_with(".fcsv");
  std::size_t next = 0;
  for (; next < lines.size(); ++next) {
    const std::string& line = lines[next];
    const bool separates = line.starts_with("sep=") && line.size() == 5;
    if (separates) table.separator = line[4];
    if (line.starts_with('#')) take_comment(path, line, table);
    if (!separates && !line.starts_with('#') && !trimmed(line, blanks).empty()) break;
    table.before += line + table.line_end;
  }
  if (!table.header_line) return next;
  if (next == lines.size()) throw IoError(path + ": is empty, a header x,y,z,t is wanted");
  if (table.before.find("sep=") == std::string::npos) table.separator = separator_of(lines[next]);
  table.columns = split(lines[next], table.separator);
  return next + 1;
}

}  // namespace

bool is_points_name(const std::string& path) {
  const std::string name = lower(path);
  return name.ends_with(".csv") || name.ends_with(".tsv") || name.ends_with(".fcsv");
}

PointsTable read_points(const std::string& path) {
  std::string content = read_file(path, most_bytes);
  PointsTable table;
  if (content.starts_with("\xff\xfe") || content.starts_with("\xfe\xff"))
    throw IoError(path + ": is UTF-16 text, UTF-8 or ASCII is wanted");
  const std::string mark = "\xef\xbb\xbf";
  const bool marked = content.starts_with(mark);
  const auto lines = lines_of(marked ? content.substr(mark.size()) : content, table.line_end);
  const std::size_t first = read_header(path, lines, table);
  if (marked) table.before = mark + table.before;
  const std::array<int, 3> at = axis_columns(table.columns);
  if (at[0] < 0 || at[1] < 0)
    throw IoError(path + ": line " + std::to_string(first) + " is '" +
                  (first > 0 ? lines[first - 1].substr(0, 60) : "") +
                  "', a header with the columns x,y,z is wanted");
  const auto too_short = [&](const std::string& where, std::size_t cells) {
    return IoError(path + ": line " + where + " has " + std::to_string(cells) + " cells, " +
                   std::to_string(table.columns.size()) + " are wanted");
  };
  for (std::size_t i = first; i < lines.size(); ++i) {
    std::vector<std::string> cells = split(lines[i], table.separator);
    if (std::ranges::all_of(cells, [](const auto& cell) { return trimmed(cell, blanks).empty(); }))
      continue;
    const std::string where = std::to_string(i + 1);
    if (cells.size() < table.columns.size()) throw too_short(where, cells.size());
    Vec3 p{};
    for (std::size_t axis = 0; axis < 3; ++axis) {
      if (at[axis] < 0) continue;
      const std::string& cell = cells[static_cast<std::size_t>(at[axis])];
      const bool comma = table.separator != ',' && cell.find(',') != std::string::npos;
      table.decimal_comma = table.decimal_comma || comma;
      p[axis] = number(path, i + 1, cell, comma);
      if (table.ras && axis < 2) p[axis] = -p[axis];
    }
    table.points.push_back(p);
    table.cells.push_back(std::move(cells));
  }
  return table;
}

void write_points(const std::string& path, const PointsTable& table) {
  const std::array<int, 3> at = axis_columns(table.columns);
  std::string text = table.before;
  const auto append_row = [&](const std::vector<std::string>& cells) {
    for (std::size_t c = 0; c < cells.size(); ++c) {
      if (c > 0) text += table.separator;
      text += cells[c];
    }
    text += table.line_end;
  };
  if (table.header_line) append_row(table.columns);
  for (std::size_t row = 0; row < table.points.size(); ++row) {
    std::vector<std::string> cells = table.cells[row];
    for (std::size_t axis = 0; axis < 3; ++axis) {
      if (at[axis] < 0) continue;
      const double value = table.points[row][axis];
      char digits[40];
      std::snprintf(digits, sizeof(digits), "%.10g", table.ras && axis < 2 ? -value : value);
      std::string cell = digits;
      if (table.decimal_comma) std::replace(cell.begin(), cell.end(), '.', ',');
      cells[static_cast<std::size_t>(at[axis])] = std::move(cell);
    }
    append_row(cells);
  }
  write_file(path, text);
}

}  // namespace ffdp::io
