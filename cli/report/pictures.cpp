// SPDX-License-Identifier: Apache-2.0
#include "cli/report/pictures.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include "ffdp/core/error.hpp"
#include "ffdp/io/nifti.hpp"

namespace ffdp::cli::report {
namespace {

// Pixels along a side at most: nine pictures of a volume share the page, a slice has it alone.
constexpr int most_of_volume = 320, most_of_slice = 1024;

/// How far index axis `axis` (z, y, x) runs along axis `world` of the world, with its sign.
double along(const Grid& grid, int axis, int world) { return grid.direction[world][2 - axis]; }

/// The assignment of world axes to index axes with the largest sum of cosines.
std::array<int, 3> world_axes(const Grid& grid) {
  std::array<int, 3> order{0, 1, 2}, best = order;
  double most = -1;
  do {
    double sum = 0;
    for (int a = 0; a < 3; ++a) sum += std::abs(along(grid, a, order[a]));
    if (sum <= most + 1e-9) continue;
    most = sum;
    best = order;
  } while (std::ranges::next_permutation(order).found);
  return best;
}

/// Every n-th voxel of an axis, so that at most `most` are left.
std::vector<int> every(int size, int most, bool backwards) {
  const int step = (size + most - 1) / most;
  std::vector<int> voxels;
  for (int i = (step - 1) / 2; i < size; i += step) voxels.push_back(i);
  if (backwards) std::ranges::reverse(voxels);
  return voxels;
}

std::string position_in_words(const Grid& grid, const std::array<AxisNames, 3>& names,
                              const Picture& p) {
  Vec3 voxel;
  for (int a = 0; a < 3; ++a) voxel[a] = (grid.size[a] - 1) / 2.0;
  voxel[p.across] = p.index;
  const int world = names[p.across].world;
  const double mm = grid.to_world()(voxel)[world];
  char text[64];
  std::snprintf(text, sizeof(text), "%c %.1f mm", (mm < 0 ? "RAI" : "LPS")[world], std::abs(mm));
  return text;
}

/// Which of two axes runs to the right, and in which direction each is shown.
Picture lay_out(const Grid& grid, const std::array<AxisNames, 3>& names, int across, int most) {
  static constexpr const char* planes[] = {"sagittal", "coronal", "axial"};
  Picture p;
  p.across = across;
  p.right = across == 2 ? 1 : 2;
  p.down = across == 0 ? 1 : 0;
  const bool plain = io::file_dimension(grid) == 2;
  bool right_back = false, down_back = false;
  if (!plain) {
    if (names[p.right].world > names[p.down].world) std::swap(p.right, p.down);
    const auto positive = [&](int a) { return along(grid, a, names[a].world) > 0; };
    right_back = !positive(p.right);
    // Anterior and superior are at the top: P grows downwards, S upwards.
    down_back = positive(p.down) == (names[p.down].world == 2);
  }
  p.plane = plain ? "plane x, y" : planes[names[across].world];
  p.columns = every(grid.size[p.right], most, right_back);
  p.rows = every(grid.size[p.down], most, down_back);
  p.ends = {names[p.right].low, names[p.right].high, names[p.down].low, names[p.down].high};
  if (right_back) std::swap(p.ends[0], p.ends[1]);
  if (down_back) std::swap(p.ends[2], p.ends[3]);
  p.width_mm = grid.size[p.right] * grid.spacing_zyx()[p.right];
  p.height_mm = grid.size[p.down] * grid.spacing_zyx()[p.down];
  return p;
}

}  // namespace

Int3 Picture::voxel(std::size_t row, std::size_t column) const {
  Int3 v{};
  v[across] = index;
  v[right] = columns[column];
  v[down] = rows[row];
  return v;
}

std::array<AxisNames, 3> name_axes(const Grid& grid) {
  std::array<AxisNames, 3> names;
  if (io::file_dimension(grid) == 2)
    return {AxisNames{2, "-z", "+z"}, AxisNames{1, "-y", "+y"}, AxisNames{0, "-x", "+x"}};
  const auto world = world_axes(grid);
  for (int a = 0; a < 3; ++a) {
    names[a] = {world[a], std::string(1, "RAI"[world[a]]), std::string(1, "LPS"[world[a]])};
    if (along(grid, a, world[a]) < 0) std::swap(names[a].low, names[a].high);
  }
  return names;
}

double obliqueness(const Grid& grid) {
  const auto world = world_axes(grid);
  double least = 1;
  for (int a = 0; a < 3; ++a) least = std::min(least, std::abs(along(grid, a, world[a])));
  return std::acos(std::min(least, 1.0)) * 180 / std::acos(-1.0);
}

std::vector<Picture> choose_pictures(const Grid& grid, int positions) {
  const auto names = name_axes(grid);
  const auto flat = std::ranges::count(grid.size, 1);
  require(flat <= 1, "report: an image of " + size_in_words(grid.size) +
                         " voxels, at least 2 along two axes are needed");
  std::vector<Picture> pictures;
  for (int across = 0; across < 3; ++across) {
    const int size = grid.size[across];
    if (flat == 1 && size > 1) continue;
    const Picture plane = lay_out(grid, names, across, flat ? most_of_slice : most_of_volume);
    int last = -1;
    for (int i = 0; i < positions; ++i) {
      // Around the middle: 0.35, 0.5, 0.65 of the way where there are three.
      const double way = positions == 1 ? 0.5 : 0.35 + 0.3 * i / (positions - 1);
      Picture p = plane;
      p.index = std::min(static_cast<int>(way * size), size - 1);
      if (p.index == last) continue;
      last = p.index;
      p.position = position_in_words(grid, names, p);
      pictures.push_back(std::move(p));
    }
  }
  // Axial, coronal, sagittal, whatever the order of the axes in the file.
  std::ranges::stable_sort(pictures, {}, &Picture::plane);
  return pictures;
}

std::vector<Vec3> points_of(const Grid& grid, const std::vector<Picture>& pictures) {
  const Affine to_world = grid.to_world();
  std::vector<Vec3> points;
  for (const Picture& p : pictures)
    for (std::size_t row = 0; row < p.rows.size(); ++row)
      for (std::size_t column = 0; column < p.columns.size(); ++column) {
        const Int3 v = p.voxel(row, column);
        points.push_back(to_world({double(v[0]), double(v[1]), double(v[2])}));
      }
  return points;
}

}  // namespace ffdp::cli::report
