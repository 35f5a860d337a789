// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/preprocess.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "ffdp/core/error.hpp"
#include "ffdp/core/parallel.hpp"
#include "ffdp/registration/metric.hpp"

namespace ffdp::registration {
namespace {

/// Calls body(float&) for every voxel, on all threads.
template <class Body>
void for_voxels(Context& ctx, Image<float>& image, Body&& body) {
  const std::int64_t plane = std::int64_t{image.grid.size[1]} * image.grid.size[2];
  parallel_for(ctx, image.grid.size[0], [&](std::int64_t z, int) {
    float* voxels = image.data.data() + z * plane;
    for (std::int64_t i = 0; i < plane; ++i) body(voxels[i]);
  });
}

struct Sorted {
  std::vector<float> values;
  float at(double quantile) const {
    const double position = quantile * static_cast<double>(values.size() - 1);
    const auto lower = static_cast<std::size_t>(position);
    const std::size_t upper = std::min(lower + 1, values.size() - 1);
    const auto fraction = static_cast<float>(position - static_cast<double>(lower));
    return values[lower] + fraction * (values[upper] - values[lower]);
  }
};

/// A regular sample of at most about a million voxels above `threshold`, sorted.
Sorted sample(const Image<float>& image, double threshold) {
  Sorted s;
  const std::int64_t step = std::max<std::int64_t>(1, image.data.size() / 1000003);
  for (std::int64_t i = 0; i < image.data.size(); i += step)
    if (image.data.data()[i] >= threshold) s.values.push_back(image.data.data()[i]);
  std::sort(s.values.begin(), s.values.end());
  return s;
}

double mean(const Image<float>& image) {
  double sum = 0;
  for (float v : image.data) sum += v;
  return sum / static_cast<double>(image.data.size());
}

}  // namespace

void require_registrable(Context& ctx, const std::string& name, const Image<float>& image) {
  const Int3 size = image.grid.size;
  require(size[1] > 1 && size[2] > 1, name + ": the image has " + std::to_string(size[2]) + "x" +
                                          std::to_string(size[1]) + "x" + std::to_string(size[0]) +
                                          " voxels, at least 2 along x and y are needed");
  struct Check {
    std::int64_t bad = 0;
    float lo = INFINITY, hi = -INFINITY;
    Check& operator+=(const Check& o) {
      bad += o.bad;
      lo = std::min(lo, o.lo);
      hi = std::max(hi, o.hi);
      return *this;
    }
  };
  const std::int64_t plane = std::int64_t{size[1]} * size[2];
  const auto check = parallel_sum<Check>(ctx, size[0], [&](std::int64_t z, int) {
    Check c;
    const float* voxels = image.data.data() + z * plane;
    for (std::int64_t i = 0; i < plane; ++i)
      c += std::isfinite(voxels[i]) ? Check{0, voxels[i], voxels[i]} : Check{1};
    return c;
  });
  require(check.bad == 0, name + ": " + std::to_string(check.bad) +
                              " voxels are NaN or infinite, finite numbers are needed");
  require(check.hi > check.lo, name + ": every voxel is " + std::to_string(check.lo) +
                                   ", an image with some contrast is needed");
}

void winsorize(Context& ctx, Image<float>& image, double lo, double hi) {
  const Sorted s = sample(image, -std::numeric_limits<double>::infinity());
  const float low = s.at(lo), high = s.at(hi);
  for_voxels(ctx, image, [&](float& v) { v = std::clamp(v, low, high); });
}

void match_histogram(Context& ctx, Image<float>& image, const Image<float>& reference) {
  constexpr int points = 12;
  const Sorted from = sample(image, mean(image)), to = sample(reference, mean(reference));
  const auto [image_lo, image_hi] = std::minmax_element(image.data.begin(), image.data.end());
  const auto [ref_lo, ref_hi] = std::minmax_element(reference.data.begin(), reference.data.end());
  std::vector<float> x{*image_lo}, y{*ref_lo};
  for (int k = 0; k <= points + 1; ++k) {
    const double q = static_cast<double>(k) / (points + 1);
    if (from.at(q) <= x.back()) continue;
    x.push_back(from.at(q));
    y.push_back(to.at(q));
  }
  if (*image_hi > x.back()) {
    x.push_back(*image_hi);
    y.push_back(*ref_hi);
  }
  for_voxels(ctx, image, [&](float& v) {
    const auto upper = std::upper_bound(x.begin() + 1, x.end() - 1, v) - x.begin();
    const float t = (v - x[upper - 1]) / (x[upper] - x[upper - 1]);
    v = y[upper - 1] + t * (y[upper] - y[upper - 1]);
  });
}

void normalize(Context& ctx, const std::string& name, Image<float>& image) {
  const IntensityModel model = intensity_model(ctx, name.c_str(), image.data, {});
  const float scale = 1 / (model.hi - model.lo);
  for_voxels(ctx, image, [&](float& v) { v = (v - model.lo) * scale; });
}

}  // namespace ffdp::registration
