// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/images/preparation.hpp"

#include <algorithm>
#include <limits>
#include <vector>

#include "ffdp/core/error.hpp"
#include "ffdp/ops/intensity/intensity.hpp"
#include "ffdp/registration/images/intensity_model.hpp"

namespace ffdp::registration {
namespace {

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
Sorted sample(Context& ctx, const Image<float>& image, double threshold) {
  const std::int64_t step = std::max<std::int64_t>(1, image.data.size() / 1000003);
  Sorted s{intensity::sample(ctx, image.data, step)};
  std::erase_if(s.values, [&](float v) { return !(static_cast<double>(v) >= threshold); });
  std::sort(s.values.begin(), s.values.end());
  return s;
}

intensity::Statistics statistics(Context& ctx, const Image<float>& image) {
  return intensity::statistics(ctx, image.grid.domain(), image.data, {});
}

}  // namespace

void require_registrable(Context& ctx, const std::string& name, const Image<float>& image) {
  const Int3 size = image.grid.size;
  require(size[1] > 1 && size[2] > 1, name + ": the image has " + size_in_words(size) +
                                          " voxels, at least 2 along x and y are needed");
  const intensity::Statistics all = statistics(ctx, image);
  require(all.not_finite == 0, name + ": " + std::to_string(all.not_finite) +
                                   " voxels are NaN or infinite, finite numbers are needed");
  require(all.hi > all.lo, name + ": every voxel is " + std::to_string(all.lo) +
                               ", an image with some contrast is needed");
}

void winsorize(Context& ctx, Image<float>& image, double lo, double hi) {
  const Sorted s = sample(ctx, image, -std::numeric_limits<double>::infinity());
  intensity::clamp(ctx, image.grid.domain(), {s.at(lo), s.at(hi)}, image.data);
}

void match_histogram(Context& ctx, Image<float>& image, const Image<float>& reference) {
  constexpr int points = 12;
  const auto mean = [](const intensity::Statistics& all) {
    return all.sum / static_cast<double>(all.count);
  };
  const auto own = statistics(ctx, image), other = statistics(ctx, reference);
  const Sorted from = sample(ctx, image, mean(own)), to = sample(ctx, reference, mean(other));
  std::vector<float> x{own.lo}, y{other.lo};
  for (int k = 0; k <= points + 1; ++k) {
    const double q = static_cast<double>(k) / (points + 1);
    if (from.at(q) <= x.back()) continue;
    x.push_back(from.at(q));
    y.push_back(to.at(q));
  }
  if (own.hi > x.back()) {
    x.push_back(own.hi);
    y.push_back(other.hi);
  }
  intensity::remap(ctx, image.grid.domain(), x, y, image.data);
}

void normalize(Context& ctx, const std::string& name, Image<float>& image) {
  const IntensityModel model = intensity_model(ctx, name.c_str(), image.data, {});
  intensity::rescale(ctx, image.grid.domain(), model.lo, 1 / (model.hi - model.lo), image.data);
}

}  // namespace ffdp::registration
