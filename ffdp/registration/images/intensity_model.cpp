// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/images/intensity_model.hpp"

#include <string>

#include "ffdp/core/error.hpp"
#include "ffdp/ops/intensity/intensity.hpp"

namespace ffdp::registration {

IntensityModel intensity_model(Context& ctx, const char* name, const ImageView& image,
                               View<const std::uint8_t> mask) {
  const Box& box = image.stored;
  const intensity::Statistics all = intensity::statistics(ctx, box, image, mask);
  const auto count = static_cast<double>(all.count);
  require(all.count > 0, std::string(name) + ": no voxel lies inside the mask");
  require(all.hi > all.lo, std::string(name) + ": every voxel is " + std::to_string(all.lo) +
                               ", an image with some contrast is needed");
  constexpr int bins = 4096;
  const auto lo = static_cast<double>(all.lo), hi = static_cast<double>(all.hi);
  const double scale = bins / (hi - lo);
  const auto counts = intensity::histogram(ctx, box, {all.lo, all.hi}, bins, image, mask);
  const auto quantile = [&](double q) {
    double below = 0;
    for (int b = 0; b < bins; ++b) {
      const double next = below + static_cast<double>(counts[static_cast<std::size_t>(b)]);
      if (next >= q * count && next > below)
        return lo + (b + (q * count - below) / (next - below)) / scale;
      below = next;
    }
    return hi;
  };
  IntensityModel model;
  const double mean = all.sum / count;
  model.mean = static_cast<float>(mean);
  model.variance = static_cast<float>(all.sum_squares / count - mean * mean);
  model.lo = static_cast<float>(quantile(0.001));
  model.hi = static_cast<float>(quantile(0.999));
  if (!(model.hi > model.lo)) {
    model.lo = all.lo;
    model.hi = all.hi;
  }
  return model;
}

}  // namespace ffdp::registration
