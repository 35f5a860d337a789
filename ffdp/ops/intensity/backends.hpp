// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/intensity/intensity.hpp"

namespace ffdp::intensity {
namespace cpu {
PlaneSums<Statistics> statistics(Context&, Box box, const ImageView& image,
                                 View<const std::uint8_t> mask);
std::int64_t count(Context&, Box box, View<const std::uint8_t> mask);
std::vector<std::int64_t> histogram(Context&, Box box, Range range, int bins,
                                    const ImageView& image, View<const std::uint8_t> mask);
PlaneSums<Moments> moments(Context&, Box box, Range range, View<const float> image,
                           View<const std::uint8_t> mask);
void rescale(Context&, Box box, float lo, float scale, View<float> image);
void clamp(Context&, Box box, Range range, View<float> image);
void remap(Context&, Box box, const std::vector<float>& x, const std::vector<float>& y,
           View<float> image);
void store(Context&, Box box, View<const float> from, View<Half> to);
void load(Context&, Box box, const ImageView& from, View<float> to);
void store_mask(Context&, Box box, float threshold, View<const float> from, View<std::uint8_t> to);
void drop_missing(Context&, Box box, View<float> image, View<std::uint8_t> mask);
void extend(Context&, Box domain, Box box, View<const std::uint8_t> mask, View<float> image);
}  // namespace cpu
namespace cuda {
PlaneSums<Statistics> statistics(Context&, Box box, const ImageView& image,
                                 View<const std::uint8_t> mask);
std::int64_t count(Context&, Box box, View<const std::uint8_t> mask);
std::vector<std::int64_t> histogram(Context&, Box box, Range range, int bins,
                                    const ImageView& image, View<const std::uint8_t> mask);
PlaneSums<Moments> moments(Context&, Box box, Range range, View<const float> image,
                           View<const std::uint8_t> mask);
void rescale(Context&, Box box, float lo, float scale, View<float> image);
void clamp(Context&, Box box, Range range, View<float> image);
void remap(Context&, Box box, const std::vector<float>& x, const std::vector<float>& y,
           View<float> image);
void store(Context&, Box box, View<const float> from, View<Half> to);
void load(Context&, Box box, const ImageView& from, View<float> to);
void store_mask(Context&, Box box, float threshold, View<const float> from, View<std::uint8_t> to);
void drop_missing(Context&, Box box, View<float> image, View<std::uint8_t> mask);
void extend(Context&, Box domain, Box box, View<const std::uint8_t> mask, View<float> image);
}  // namespace cuda
}  // namespace ffdp::intensity
