// SPDX-License-Identifier: Apache-2.0
#include "cli/report/layers.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "cli/report/maps.hpp"
#include "cli/report/sample.hpp"

#include "ffdp/io/png.hpp"

namespace ffdp::cli::report {
namespace {

using nlohmann::json;
using Values = std::vector<double>;
using Codes = std::vector<std::uint8_t>;

std::string base64(const std::string& bytes) {
  static constexpr char digits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t three = 0;
    for (std::size_t k = i; k < i + 3; ++k)
      three = (three << 8U) | (k < bytes.size() ? static_cast<unsigned char>(bytes[k]) : 0U);
    for (unsigned k = 0; k < 4; ++k)
      text += i + k > bytes.size() ? '=' : digits[(three >> (18U - 6U * k)) & 63U];
  }
  return text;
}

json pngs(const Codes& codes, const std::vector<Picture>& pictures) {
  json list = json::array();
  std::span<const std::uint8_t> rest(codes);
  for (const Picture& p : pictures) {
    list.push_back(base64(io::png_of(rest.first(p.pixels()), static_cast<int>(p.columns.size()),
                                     static_cast<int>(p.rows.size()))));
    rest = rest.subspan(p.pixels());
  }
  return list;
}

/// lo to hi as codes first to 255.
std::uint8_t code(double value, double lo, double hi, int first) {
  const double way = std::clamp((value - lo) / (hi - lo), 0.0, 1.0);
  return static_cast<std::uint8_t>(first + std::lround(way * (255 - first)));
}

/// The q-quantile of finite values; 0 without any.
double quantile(Values values, double q) {
  std::erase_if(values, [](double v) { return !std::isfinite(v); });
  if (values.empty()) return 0;
  const auto at = static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1));
  std::ranges::nth_element(values, values.begin() + at);
  return values[static_cast<std::size_t>(at)];
}

void add_image(json& layers, const char* name, const std::vector<Picture>& pictures,
               const Values& values, const Window& window) {
  if (values.empty()) return;
  layers[name] = {
      {"lo", window.lo}, {"hi", window.hi}, {"png", pngs(grey_of(values, window), pictures)}};
}

/// Code 1 is a fold, 2 to 255 are -reach to reach.
json log_jacobian_layer(const Values& determinant, const std::vector<Picture>& pictures) {
  Values size;
  for (const double d : determinant)
    if (d > 0) size.push_back(std::abs(std::log(d)));
  const double reach = std::clamp(std::ceil(10 * quantile(size, 0.995)) / 10, 0.3, 3.0);
  Codes codes;
  for (const double d : determinant)
    codes.push_back(!std::isfinite(d) ? 0 : d <= 0 ? 1 : code(std::log(d), -reach, reach, 2));
  return {{"lo", -reach}, {"hi", reach}, {"png", pngs(codes, pictures)}};
}

/// The last colour is at least one voxel, so that a harmless error does not look like a large one.
json inverse_layer(const Values& distance, double voxel_mm, const std::vector<Picture>& pictures) {
  const double hi = std::max(quantile(distance, 0.999), voxel_mm);
  Codes codes;
  for (const double d : distance) codes.push_back(std::isfinite(d) ? code(d, 0, hi, 1) : 0);
  return {{"lo", 0}, {"hi", hi}, {"png", pngs(codes, pictures)}};
}

/// Labels of both maps by their order, so that a label has one code in both: 0 background, else 1 +
/// its number modulo 255.
void add_labels(json& layers, const Sources& s, const std::vector<Picture>& pictures,
                const std::vector<Vec3>& points) {
  Values fixed, warped, known;
  if (!s.fixed_labels.empty()) fixed = sample(s.fixed_labels, 0, Sampling::nearest, points);
  if (!s.warped_labels.empty()) warped = sample(s.warped_labels, 0, Sampling::nearest, points);
  for (const Values* values : {&fixed, &warped})
    known.insert(known.end(), values->begin(), values->end());
  std::erase_if(known, [](double v) { return v == 0 || !std::isfinite(v); });
  std::ranges::sort(known);
  known.erase(std::unique(known.begin(), known.end()), known.end());
  const auto add = [&](const char* name, const Values& values) {
    if (values.empty()) return;
    Codes codes;
    for (const double v : values) {
      const auto number = std::ranges::lower_bound(known, v) - known.begin();
      codes.push_back(v == 0 || !std::isfinite(v) ? 0
                                                  : static_cast<std::uint8_t>(1 + number % 255));
    }
    layers[name] = {{"values", known}, {"png", pngs(codes, pictures)}};
  };
  add("fixed_labels", fixed);
  add("warped_labels", warped);
}

/// World points through a displacement and an affine.
std::vector<Vec3> mapped(const std::vector<Vec3>& points, const std::vector<Vec3>& displacement,
                         const Affine& affine) {
  std::vector<Vec3> result = points;
  for (std::size_t i = 0; i < result.size(); ++i) {
    for (int c = 0; c < 3 && !displacement.empty(); ++c) result[i][c] += displacement[i][c];
    result[i] = affine(result[i]);
  }
  return result;
}

/// The warped image; NaN where it comes from outside the moving image, if the files allow to tell.
/// If it was not written, it is made from the moving image.
Values warped_values(const Sources& s, const std::vector<Vec3>& points,
                     const std::vector<Vec3>& displacement) {
  Values warped;
  if (!s.warped.empty()) warped = sample(s.warped, 0, Sampling::linear, points);
  const bool whole_map = s.affine && (!s.warp.empty() || !s.record.contains("jacobian"));
  if (!whole_map || s.moving.empty()) return warped;
  const auto from = mapped(points, displacement, *s.affine);
  if (warped.empty()) return sample(s.moving, 0, Sampling::linear, from);
  const auto known = inside(io::read_info(s.moving).grid, from);
  for (std::size_t i = 0; i < warped.size(); ++i)
    if (!known[i]) warped[i] = std::numeric_limits<double>::quiet_NaN();
  return warped;
}

}  // namespace

Window window_of(const std::vector<const Values*>& lists) {
  Values all;
  for (const Values* list : lists) all.insert(all.end(), list->begin(), list->end());
  Window w{quantile(all, 0.005), quantile(all, 0.995)};
  if (!(w.hi > w.lo)) w.hi = w.lo + 1;
  return w;
}

Codes grey_of(const Values& values, const Window& window) {
  Codes codes;
  codes.reserve(values.size());
  for (const double v : values)
    codes.push_back(std::isfinite(v) ? code(v, window.lo, window.hi, 1) : 0);
  return codes;
}

json layers(Context& ctx, const Sources& s, const std::vector<Picture>& pictures,
            const std::vector<Vec3>& points) {
  json j;
  const Values fixed = sample(s.fixed, 0, Sampling::linear, points);
  add_image(j, "fixed", pictures, fixed, window_of({&fixed}));
  std::vector<Vec3> displacement;
  if (!s.warp.empty()) {
    const WarpMaps maps = warp_maps(ctx, s.warp, pictures);
    j["log_jacobian"] = log_jacobian_layer(maps.determinant, pictures);
    displacement = maps.displacement;
    if (!s.inverse_warp.empty())
      j["inverse_consistency"] =
          inverse_layer(inverse_consistency(s.inverse_warp, points, displacement),
                        std::ranges::min(io::read_info(s.fixed).grid.spacing), pictures);
  }
  const Values warped = warped_values(s, points, displacement);
  Values before;
  if (s.start && !s.moving.empty())
    before = sample(s.moving, 0, Sampling::linear, mapped(points, {}, *s.start));
  const Window window = window_of({&warped, &before});
  add_image(j, "warped", pictures, warped, window);
  add_image(j, "before", pictures, before, window);
  add_labels(j, s, pictures, points);
  return j;
}

}  // namespace ffdp::cli::report
