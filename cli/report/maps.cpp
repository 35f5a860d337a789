// SPDX-License-Identifier: Apache-2.0
#include "cli/report/maps.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "cli/report/sample.hpp"

#include "ffdp/ops/jacobian/jacobian.hpp"
#include "ffdp/ops/vectors/vectors.hpp"

namespace ffdp::cli::report {
namespace {

/// The components of a field in one file, each read by a reader of its own.
class WarpPlanes {
 public:
  explicit WarpPlanes(const std::string& path) {
    const io::NiftiInfo info = io::read_info(path);
    double square = 0;
    for (int a = 0; a < 3; ++a)
      square += std::pow(info.grid.size[a] * info.grid.spacing_zyx()[a], 2);
    longest_ = static_cast<float>(10 * std::sqrt(square));
    for (int c = 0; c < info.volumes() * info.components(); ++c) {
      components_.push_back(std::make_unique<Planes<float>>(path, c));
      signs_.push_back(sign_of_component(info, c));
    }
  }
  /// The displacement [mm, LPS] over the planes [lo, hi), components x, y, z; NaN where the file
  /// marks that there is none (transforms::mark_missing).
  VectorField<float> get(const Grid& grid, int lo, int hi) {
    Box box = grid.domain();
    box.lo[0] = lo;
    box.hi[0] = hi;
    VectorField<float> field(Backend::cpu, box);
    std::fill(field.begin(), field.end(), 0.0F);
    for (std::size_t c = 0; c < components_.size(); ++c) {
      const View<const float> from = components_[c]->get(lo, hi);
      const auto sign = static_cast<float>(signs_[c]);
      std::transform(from.data, from.data + box.volume(),
                     field.data() + static_cast<std::int64_t>(c) * box.volume(),
                     [sign, this](float value) {
                       return std::abs(value) <= longest_ ? sign * value
                                                          : std::numeric_limits<float>::quiet_NaN();
                     });
    }
    return field;
  }

 private:
  std::vector<std::unique_ptr<Planes<float>>> components_;
  std::vector<double> signs_;
  float longest_ = 0;  ///< [mm]
};

/// The part of a picture's plane within planes [lo, hi) of the grid.
Box part_of(const Grid& grid, const Picture& p, int lo, int hi) {
  Box box = grid.domain();
  box.lo[p.across] = p.index;
  box.hi[p.across] = p.index + 1;
  box.lo[0] = std::max(box.lo[0], lo);
  box.hi[0] = std::min(box.hi[0], hi);
  return box;
}

/// Calls take(pixel, voxel) for the pixels of a picture that lie in a box.
template <class Take>
void for_pixels_in(const Picture& p, const Box& box, Take&& take) {
  for (std::size_t row = 0; row < p.rows.size(); ++row)
    for (std::size_t column = 0; column < p.columns.size(); ++column) {
      const Int3 v = p.voxel(row, column);
      if (box.contains(v[0], v[1], v[2])) take(row * p.columns.size() + column, v);
    }
}

}  // namespace

WarpMaps warp_maps(Context& ctx, const std::string& path, const std::vector<Picture>& pictures) {
  const Grid grid = io::read_info(path).grid;
  const Box domain = grid.domain();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  std::size_t pixels = 0;
  for (const Picture& p : pictures) pixels += p.pixels();
  WarpMaps maps{std::vector<double>(pixels, nan), std::vector<Vec3>(pixels, Vec3{nan, nan, nan})};
  WarpPlanes planes(path);
  const int step = planes_at_a_time(grid), halo = jacobian::halo();
  for (int lo = 0; lo < grid.size[0]; lo += step) {
    const int hi = std::min(lo + step, grid.size[0]);
    const bool wanted = std::ranges::any_of(
        pictures, [&](const Picture& p) { return !part_of(grid, p, lo, hi).empty(); });
    if (!wanted) continue;
    VectorField<float> u =
        planes.get(grid, std::max(lo - halo, 0), std::min(hi + halo, grid.size[0]));
    const auto each_part = [&](auto&& take) {
      std::size_t first = 0;
      for (const Picture& p : pictures) {
        const Box box = part_of(grid, p, lo, hi);
        if (!box.empty()) take(p, box, first);
        first += p.pixels();
      }
    };
    each_part([&](const Picture& p, const Box& box, std::size_t first) {
      for_pixels_in(p, box, [&](std::size_t pixel, const Int3& v) {
        for (int c = 0; c < 3; ++c)
          maps.displacement[first + pixel][c] = u.view()[c](v[0], v[1], v[2]);
      });
    });
    vectors::transform(ctx, u.stored(), grid.to_index().linear,
                       std::numeric_limits<float>::infinity(), u, u);
    each_part([&](const Picture& p, const Box& box, std::size_t first) {
      Field<float> determinant(Backend::cpu, box);
      jacobian::forward(ctx, domain, box, u, determinant);
      for_pixels_in(p, box, [&](std::size_t pixel, const Int3& v) {
        maps.determinant[first + pixel] = determinant.view()(v[0], v[1], v[2]);
      });
    });
  }
  return maps;
}

std::vector<double> inverse_consistency(const std::string& inverse_path,
                                        const std::vector<Vec3>& points,
                                        const std::vector<Vec3>& displacement) {
  std::vector<Vec3> mapped = points;
  for (std::size_t i = 0; i < points.size(); ++i)
    for (int c = 0; c < 3; ++c) mapped[i][c] += displacement[i][c];
  const auto back = sample_vectors(inverse_path, mapped);
  std::vector<double> distance(points.size());
  for (std::size_t i = 0; i < points.size(); ++i)
    distance[i] = std::hypot(displacement[i][0] + back[i][0], displacement[i][1] + back[i][1],
                             displacement[i][2] + back[i][2]);
  return distance;
}

}  // namespace ffdp::cli::report
