// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/intensity/intensity.hpp"

#include <string>

#include "ffdp/ops/common/checks.hpp"
#include "ffdp/ops/common/dispatch.hpp"
#include "ffdp/ops/intensity/backends.hpp"
#include "ffdp/ops/intensity/math.hpp"

namespace ffdp::intensity {
namespace {

void check(const Box& box, const char* name, const auto& view) {
  require_boxes("intensity", box, box);
  require_stored("intensity", name, view, box);
}

}  // namespace

PlaneSums<Statistics> statistics(Context& ctx, Box box, const ImageView& image,
                                 View<const std::uint8_t> mask) {
  check(box, "image", image);
  if (mask) check(box, "mask", mask);
  return dispatch(ctx, [&]<Backend B>() { return On<B>::statistics(ctx, box, image, mask); });
}

std::int64_t count(Context& ctx, Box box, View<const std::uint8_t> mask) {
  check(box, "mask", mask);
  return dispatch(ctx, [&]<Backend B>() { return On<B>::count(ctx, box, mask); });
}

std::vector<std::int64_t> histogram(Context& ctx, Box box, Range range, int bins,
                                    const ImageView& image, View<const std::uint8_t> mask) {
  check(box, "image", image);
  if (mask) check(box, "mask", mask);
  require(bins > 0 && bins <= most_bins, "intensity: " + std::to_string(bins) + " bins, 1 to " +
                                             std::to_string(most_bins) + " are supported");
  require(range.hi > range.lo, "intensity: the range from " + std::to_string(range.lo) + " to " +
                                   std::to_string(range.hi) + " is empty");
  return dispatch(
      ctx, [&]<Backend B>() { return On<B>::histogram(ctx, box, range, bins, image, mask); });
}

PlaneSums<Moments> moments(Context& ctx, Box box, Range range, View<const float> image,
                           View<const std::uint8_t> mask) {
  check(box, "image", image);
  if (mask) check(box, "mask", mask);
  return dispatch(ctx, [&]<Backend B>() { return On<B>::moments(ctx, box, range, image, mask); });
}

void rescale(Context& ctx, Box box, float lo, float scale, View<float> image) {
  check(box, "image", image);
  dispatch(ctx, [&]<Backend B>() { On<B>::rescale(ctx, box, lo, scale, image); });
}

void clamp(Context& ctx, Box box, Range range, View<float> image) {
  check(box, "image", image);
  dispatch(ctx, [&]<Backend B>() { On<B>::clamp(ctx, box, range, image); });
}

void remap(Context& ctx, Box box, const std::vector<float>& x, const std::vector<float>& y,
           View<float> image) {
  check(box, "image", image);
  require(x.size() == y.size() && x.size() >= 2 && x.size() <= most_points,
          "intensity: " + std::to_string(x.size()) + " points to map from and " +
              std::to_string(y.size()) + " to map to, 2 to " + std::to_string(most_points) +
              " are supported");
  for (std::size_t k = 1; k < x.size(); ++k)
    require(x[k] > x[k - 1], "intensity: the points to map from do not ascend");
  dispatch(ctx, [&]<Backend B>() { On<B>::remap(ctx, box, x, y, image); });
}

void store(Context& ctx, Box box, View<const float> from, View<Half> to) {
  check(box, "from", from);
  check(box, "to", to);
  dispatch(ctx, [&]<Backend B>() { On<B>::store(ctx, box, from, to); });
}

void load(Context& ctx, Box box, const ImageView& from, View<float> to) {
  check(box, "from", from);
  check(box, "to", to);
  dispatch(ctx, [&]<Backend B>() { On<B>::load(ctx, box, from, to); });
}

void store_mask(Context& ctx, Box box, float threshold, View<const float> from,
                View<std::uint8_t> to) {
  check(box, "from", from);
  check(box, "to", to);
  dispatch(ctx, [&]<Backend B>() { On<B>::store_mask(ctx, box, threshold, from, to); });
}

void drop_missing(Context& ctx, Box box, View<float> image, View<std::uint8_t> mask) {
  check(box, "image", image);
  check(box, "mask", mask);
  dispatch(ctx, [&]<Backend B>() { On<B>::drop_missing(ctx, box, image, mask); });
}

void extend(Context& ctx, Box domain, Box box, View<const std::uint8_t> mask, View<float> image) {
  require_boxes("intensity", domain, box);
  const Box reach = intersect(grow(box, 1), domain);
  require_stored("intensity", "image", image, reach);
  require_stored("intensity", "mask", mask, reach);
  dispatch(ctx, [&]<Backend B>() { On<B>::extend(ctx, domain, box, mask, image); });
}

}  // namespace ffdp::intensity
