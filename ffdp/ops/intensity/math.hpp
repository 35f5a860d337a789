// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/host_device.hpp"
#include "ffdp/ops/intensity/intensity.hpp"

namespace ffdp::intensity {

constexpr int most_bins = 8192, most_points = 64;

FFDP_HD inline bool is_finite(float v) { return v - v == 0; }

FFDP_HD inline float clamped(float v, const Range& range) {
  return v < range.lo ? range.lo : range.hi < v ? range.hi : v;
}

/// Intensities of an image stored as T.
template <class T>
struct Loaded {
  View<const T> image;
  float scale, offset;
  FFDP_HD float operator()(int z, int y, int x) const {
    return offset + scale * to_float(image(z, y, x));
  }
};
/// Calls body(Loaded<T>) with the type of the storage.
template <class Body>
decltype(auto) visit_loaded(const ImageView& image, Body&& body) {
  return visit(image, [&]<class T>(View<const T> view) {
    return body(Loaded<T>{view, image.scale, image.offset});
  });
}

/// The bin of v among `bins` that begin at lo; `scale` [bins / intensity].
FFDP_HD inline int bin_of(float v, double lo, double scale, int bins) {
  const double bin = (static_cast<double>(v) - lo) * scale;
  return bin < 0 ? 0 : bin < bins - 1 ? static_cast<int>(bin) : bins - 1;
}

/// Mean of the neighbours within the domain where the mask is not 0; 0 if there is none.
FFDP_HD inline float neighbour_mean(const Box& domain, const View<const std::uint8_t>& mask,
                                    const View<float>& image, int z, int y, int x) {
  float sum = 0;
  int count = 0;
  for (int k = z - 1; k <= z + 1; ++k)
    for (int j = y - 1; j <= y + 1; ++j)
      for (int i = x - 1; i <= x + 1; ++i)
        if (domain.contains(k, j, i) && mask(k, j, i) != 0) {
          sum += image(k, j, i);
          ++count;
        }
  return count > 0 ? sum / static_cast<float>(count) : 0.0F;
}

/// Points of a piecewise linear function.
struct Points {
  int count = 0;
  float x[most_points] = {}, y[most_points] = {};
};
FFDP_HD inline float remapped(const Points& p, float v) {
  int upper = 1;
  while (upper < p.count - 1 && v >= p.x[upper]) ++upper;
  const float t = (v - p.x[upper - 1]) / (p.x[upper] - p.x[upper - 1]);
  return p.y[upper - 1] + t * (p.y[upper] - p.y[upper - 1]);
}

}  // namespace ffdp::intensity
