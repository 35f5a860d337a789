// SPDX-License-Identifier: Apache-2.0
#include "cli/report/sample.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace ffdp::cli::report {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// Continuous voxels (z, y, x) of points, clamped to the grid; x is NaN where one lies outside.
std::vector<Vec3> voxels_of(const Grid& grid, std::span<const Vec3> points) {
  const Affine to_index = grid.to_index();
  std::vector<Vec3> voxels;
  voxels.reserve(points.size());
  for (const Vec3& point : points) {
    Vec3 v = to_index(point);
    bool inside = true;
    for (int a = 0; a < 3; ++a) {
      const double last = grid.size[a] - 1;
      inside = inside && (grid.size[a] == 1 || (v[a] >= -0.5 && v[a] <= last + 0.5));
      v[a] = std::clamp(v[a], 0.0, last);
    }
    if (!inside) v[2] = nan;
    voxels.push_back(v);
  }
  return voxels;
}

double linear(const View<const double>& image, const Vec3& v) {
  double sum = 0;
  for (int corner = 0; corner < 8; ++corner) {
    Int3 at{};
    double weight = 1;
    for (int a = 0; a < 3; ++a) {
      const double low = std::floor(v[a]);
      const bool high = ((corner >> a) & 1) != 0;
      at[a] = static_cast<int>(low) + (high ? 1 : 0);
      weight *= high ? v[a] - low : 1 - (v[a] - low);
    }
    if (weight > 0) sum += weight * image(at[0], at[1], at[2]);
  }
  return sum;
}

double nearest(const View<const double>& image, const Vec3& v) {
  const auto round = [](double x) { return static_cast<int>(std::floor(x + 0.5)); };
  return image(round(v[0]), round(v[1]), round(v[2]));
}

/// Samples the volume at which `planes` stands.
std::vector<double> sample_planes(Planes<double>& planes, Sampling sampling,
                                  const std::vector<Vec3>& voxels) {
  const Grid& grid = planes.info().grid;
  std::vector<double> values(voxels.size(), nan);
  std::vector<std::uint32_t> order;
  for (std::size_t i = 0; i < voxels.size(); ++i)
    if (voxels[i][2] == voxels[i][2]) order.push_back(static_cast<std::uint32_t>(i));
  const auto plane = [&](std::uint32_t i) { return static_cast<int>(voxels[i][0]); };
  std::ranges::stable_sort(order, {}, plane);
  const int thickness = planes_at_a_time(grid);
  for (auto it = order.begin(); it != order.end();) {
    const int lo = plane(*it), last = lo + thickness - 1;
    const auto end = std::find_if(it, order.end(), [&](auto i) { return plane(i) > last; });
    const auto view = planes.get(lo, std::min(plane(*std::prev(end)) + 2, grid.size[0]));
    for (; it != end; ++it)
      values[*it] =
          sampling == Sampling::linear ? linear(view, voxels[*it]) : nearest(view, voxels[*it]);
  }
  return values;
}

}  // namespace

template <class T>
void Planes<T>::turn_to(std::int64_t volume) {
  volume_ = volume;
  held_ = {};
}

template <class T>
View<const T> Planes<T>::get(int lo, int hi) {
  Box box = info().grid.domain();
  box.lo[0] = lo;
  box.hi[0] = hi;
  Field<T> next(Backend::cpu, box);
  const std::int64_t plane = std::int64_t{box.size(1)} * box.size(2);
  const Box common = intersect(box, held_.stored());
  Box rest = box;
  if (!common.empty()) {
    const T* from = held_.data() + (common.lo[0] - held_.stored().lo[0]) * plane;
    std::copy(from, from + common.volume(), next.data() + (common.lo[0] - lo) * plane);
    rest.lo[0] = common.hi[0];
  }
  if (!rest.empty()) {
    const Field<T> read = reader_.read_box<T>(rest, volume_);
    std::copy(read.begin(), read.end(), next.data() + (rest.lo[0] - lo) * plane);
  }
  held_ = std::move(next);
  return std::as_const(held_).view();
}

template class Planes<float>;
template class Planes<double>;

int planes_at_a_time(const Grid& grid) {
  constexpr std::int64_t most = std::int64_t{8} << 20U;
  const std::int64_t plane = std::int64_t{8} * grid.size[1] * grid.size[2];
  return static_cast<int>(std::clamp<std::int64_t>(most / plane, 1, grid.size[0]));
}

std::vector<double> sample(const std::string& path, std::int64_t volume, Sampling sampling,
                           std::span<const Vec3> points) {
  Planes<double> planes(path, volume);
  return sample_planes(planes, sampling, voxels_of(planes.info().grid, points));
}

std::vector<bool> inside(const Grid& grid, std::span<const Vec3> points) {
  std::vector<bool> is;
  is.reserve(points.size());
  for (const Vec3& v : voxels_of(grid, points)) is.push_back(v[2] == v[2]);
  return is;
}

double sign_of_component(const io::NiftiInfo& info, int component) {
  return info.intent == io::intent_displacement && component < 2 ? -1 : 1;
}

std::vector<Vec3> sample_vectors(const std::string& path, std::span<const Vec3> points) {
  Planes<double> planes(path, 0);
  const io::NiftiInfo& info = planes.info();
  const auto voxels = voxels_of(info.grid, points);
  std::vector<Vec3> vectors(points.size());
  for (int c = 0; c < info.volumes() * info.components(); ++c) {
    planes.turn_to(c);
    const auto values = sample_planes(planes, Sampling::linear, voxels);
    for (std::size_t i = 0; i < values.size(); ++i)
      vectors[i][c] = sign_of_component(info, c) * values[i];
  }
  return vectors;
}

}  // namespace ffdp::cli::report
