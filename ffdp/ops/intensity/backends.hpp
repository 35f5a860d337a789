// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/intensity/intensity.hpp"

namespace ffdp::intensity {

/// The functions of a backend, for dispatch: cpu.cpp defines On<Backend::cpu>, cuda.cu
/// On<Backend::cuda>.
template <Backend>
struct On {
  static PlaneSums<Statistics> statistics(Context&, Box box, const ImageView& image,
                                          View<const std::uint8_t> mask);
  static std::int64_t count(Context&, Box box, View<const std::uint8_t> mask);
  static std::vector<std::int64_t> histogram(Context&, Box box, Range range, int bins,
                                             const ImageView& image, View<const std::uint8_t> mask);
  static PlaneSums<Moments> moments(Context&, Box box, Range range, View<const float> image,
                                    View<const std::uint8_t> mask);
  static void rescale(Context&, Box box, float lo, float scale, View<float> image);
  static void clamp(Context&, Box box, Range range, View<float> image);
  static void remap(Context&, Box box, const std::vector<float>& x, const std::vector<float>& y,
                    View<float> image);
  static void store(Context&, Box box, View<const float> from, View<Half> to);
  static void load(Context&, Box box, const ImageView& from, View<float> to);
  static void store_mask(Context&, Box box, float threshold, View<const float> from,
                         View<std::uint8_t> to);
  static void drop_missing(Context&, Box box, View<float> image, View<std::uint8_t> mask);
  static void extend(Context&, Box domain, Box box, View<const std::uint8_t> mask,
                     View<float> image);
};

}  // namespace ffdp::intensity
