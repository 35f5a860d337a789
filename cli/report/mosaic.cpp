// SPDX-License-Identifier: Apache-2.0
#include "cli/report/mosaic.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>

#include "cli/report/layers.hpp"
#include "cli/report/pictures.hpp"
#include "cli/report/sample.hpp"

#include "ffdp/io/png.hpp"

namespace ffdp::cli::report {
namespace {

constexpr double longest_side = 384;  // of a plane [pixels]
constexpr int gap = 6;                // between planes [pixels]
constexpr std::uint8_t gap_grey = 96, letter_grey = 255;

/// Letters of 5 x 7 pixels, rows from the top, the leftmost pixel in bit 4.
const std::map<char, std::array<int, 7>> glyphs{
    {'L', {16, 16, 16, 16, 16, 16, 31}}, {'R', {30, 17, 17, 30, 20, 18, 17}},
    {'A', {14, 17, 17, 31, 17, 17, 17}}, {'P', {30, 17, 17, 30, 16, 16, 16}},
    {'S', {15, 16, 16, 14, 1, 1, 30}},   {'I', {14, 4, 4, 4, 4, 4, 14}},
    {'x', {0, 0, 17, 10, 4, 10, 17}},    {'y', {0, 0, 17, 10, 4, 8, 16}},
    {'z', {0, 0, 31, 2, 4, 8, 31}},      {'+', {0, 4, 4, 31, 4, 4, 0}},
    {'-', {0, 0, 0, 31, 0, 0, 0}}};

/// Grey pixels, rows from the top.
struct Canvas {
  int width = 0, height = 0;
  std::vector<std::uint8_t> pixels;

  Canvas(int w, int h)
      : width(w),
        height(h),
        pixels(static_cast<std::size_t>(w) * static_cast<std::size_t>(h), gap_grey) {}
  void put(int x, int y, std::uint8_t grey) {
    if (x < 0 || y < 0 || x >= width || y >= height) return;
    pixels[static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
           static_cast<std::size_t>(x)] = grey;
  }
  /// Letters in doubled pixels on a black ground, centred at (x, y).
  void write(const std::string& text, int x, int y) {
    const int left = x - 6 * static_cast<int>(text.size()), top = y - 9;
    for (int dy = 0; dy < 18; ++dy)
      for (int dx = 0; dx < 12 * static_cast<int>(text.size()); ++dx) {
        const auto& rows = glyphs.at(text[static_cast<std::size_t>(dx / 12)]);
        const int column = dx % 12 / 2 - 1, row = dy / 2 - 1;
        const bool ink = column >= 0 && column < 5 && row >= 0 && row < 7 &&
                         ((rows[static_cast<std::size_t>(row)] >> (4 - column)) & 1) != 0;
        put(left + dx, top + dy, ink ? letter_grey : 0);
      }
  }
};

/// One row of the mosaic: codes of the pictures of one volume.
struct Row {
  std::vector<Picture> pictures;
  std::vector<std::uint8_t> codes;
  double scale = 1;  ///< [pixels/mm]

  int width(const Picture& p) const { return std::max(8, static_cast<int>(p.width_mm * scale)); }
  int height(const Picture& p) const { return std::max(8, static_cast<int>(p.height_mm * scale)); }
  int total_width() const {
    int sum = 0;
    for (const Picture& p : pictures) sum += width(p) + gap;
    return sum - gap;
  }
  int total_height() const {
    int most = 0;
    for (const Picture& p : pictures) most = std::max(most, height(p));
    return most;
  }
};

void draw(Canvas& canvas, int top, const Row& row) {
  int left = 0;
  std::size_t first = 0;
  for (const Picture& p : row.pictures) {
    const int w = row.width(p), h = row.height(p);
    for (int y = 0; y < h; ++y)
      for (int x = 0; x < w; ++x) {
        const std::size_t r = static_cast<std::size_t>(y) * p.rows.size() /
                              static_cast<std::size_t>(h),
                          c = static_cast<std::size_t>(x) * p.columns.size() /
                              static_cast<std::size_t>(w);
        canvas.put(left + x, top + y, row.codes[first + r * p.columns.size() + c]);
      }
    canvas.write(p.ends[0], left + 14, top + h / 2);
    canvas.write(p.ends[1], left + w - 15, top + h / 2);
    canvas.write(p.ends[2], left + w / 2, top + 11);
    canvas.write(p.ends[3], left + w / 2, top + h - 12);
    left += w + gap;
    first += p.pixels();
  }
}

std::string in_words(const io::NiftiInfo& info, const std::vector<Picture>& pictures,
                     const Window& window, const std::vector<std::int64_t>& volumes) {
  std::string text;
  for (const Picture& p : pictures) {
    if (!text.empty()) text += " | ";
    text += p.plane;
    if (pictures.size() > 1) text.append(" ").append(p.position);
  }
  char greys[96];
  std::snprintf(greys, sizeof(greys), "; black %.4g, white %.4g", window.lo, window.hi);
  text += greys;
  if (volumes.size() > 1) {
    text += "; volumes";
    for (const auto v : volumes) text.append(" ").append(std::to_string(v + 1));
    text.append(" of ").append(std::to_string(info.volumes() * info.components()));
    text += ", from the top";
  }
  return text;
}

}  // namespace

Mosaic make_mosaic(const std::vector<std::string>& images) {
  Mosaic mosaic;
  std::vector<Row> rows;
  for (const std::string& path : images) {
    const io::NiftiInfo info = io::read_info(path);
    const auto pictures = choose_pictures(info.grid, 1);
    const auto points = points_of(info.grid, pictures);
    const std::int64_t last = info.volumes() * info.components() - 1;
    std::vector<std::int64_t> volumes{0};
    if (last > 1) volumes.push_back(last / 2);
    if (last > 0) volumes.push_back(last);
    std::vector<std::vector<double>> values;
    std::vector<const std::vector<double>*> lists;
    values.reserve(volumes.size());
    lists.reserve(volumes.size());
    for (const auto v : volumes) values.push_back(sample(path, v, Sampling::linear, points));
    for (const auto& list : values) lists.push_back(&list);
    const Window window = window_of(lists);
    double longest = 0;
    for (const Picture& p : pictures) longest = std::max({longest, p.width_mm, p.height_mm});
    for (const auto& list : values)
      rows.push_back({pictures, grey_of(list, window), longest_side / longest});
    mosaic.words.push_back(in_words(info, pictures, window, volumes));
  }
  int width = 0, height = -gap;
  for (const Row& row : rows) {
    width = std::max(width, row.total_width());
    height += row.total_height() + gap;
  }
  Canvas canvas(width, height);
  int top = 0;
  for (const Row& row : rows) {
    draw(canvas, top, row);
    top += row.total_height() + gap;
  }
  mosaic.png = io::png_of(canvas.pixels, width, height);
  return mosaic;
}

}  // namespace ffdp::cli::report
