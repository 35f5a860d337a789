// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "ffdp/core/affine.hpp"
#include "ffdp/core/context.hpp"
#include "ffdp/core/image_view.hpp"
#include "ffdp/core/plane_sums.hpp"

/// Sums over the voxels of an image (statistics, histogram, moments) and maps of each voxel (of its
/// intensity, of its storage). No halo. `box` is a part of an image; the caller adds the sums of
/// all parts.
namespace ffdp::intensity {

/// An interval of intensities.
struct Range {
  float lo = 0, hi = 1;  ///< [intensity]
  friend bool operator==(const Range&, const Range&) = default;
};

/// Sums over the finite voxels; those of shards are added with +=.
struct Statistics {
  std::int64_t count = 0;                              ///< finite voxels [voxels]
  std::int64_t not_finite = 0;                         ///< NaN or infinite [voxels]
  double sum = 0;                                      ///< [intensity]
  double sum_squares = 0;                              ///< [intensity^2]
  float lo = std::numeric_limits<float>::infinity();   ///< smallest; +inf where count is 0
  float hi = -std::numeric_limits<float>::infinity();  ///< largest; -inf where count is 0

  Statistics& operator+=(const Statistics& other) {
    count += other.count;
    not_finite += other.not_finite;
    sum += other.sum;
    sum_squares += other.sum_squares;
    lo = std::min(lo, other.lo);
    hi = std::max(hi, other.hi);
    return *this;
  }
};

/// @param image  [z,y,x] intensity in any storage, stored over at least box
/// @param mask   [z,y,x] nonzero where a voxel counts, stored over at least box; null for all
PlaneSums<Statistics> statistics(Context&, Box box, const ImageView& image,
                                 View<const std::uint8_t> mask);

/// Number of nonzero voxels of a mask [voxels].
std::int64_t count(Context&, Box box, View<const std::uint8_t> mask);

/// How many finite voxels fall into each of `bins` equal parts of [lo, hi]. hi belongs to the last
/// part; values beyond an end belong to the part at that end.
/// @param bins  at most 8192
std::vector<std::int64_t> histogram(Context&, Box box, Range range, int bins,
                                    const ImageView& image, View<const std::uint8_t> mask);

/// Moments of the mass w = clamp(v, lo, hi) - lo of a voxel at its index x (z, y, x).
struct Moments {
  double mass = 0;  ///< sum of w [intensity]
  Vec3 first{};     ///< sum of w x [intensity voxels]
  Mat3 second{};    ///< sum of w x x^T [intensity voxels^2]
  Moments& operator+=(const Moments& other) {
    mass += other.mass;
    for (int a = 0; a < 3; ++a) {
      first[a] += other.first[a];
      for (int b = 0; b < 3; ++b) second[a][b] += other.second[a][b];
    }
    return *this;
  }
};
/// @param mask  [z,y,x] nonzero where a voxel counts; null for all
PlaneSums<Moments> moments(Context&, Box box, Range range, View<const float> image,
                           View<const std::uint8_t> mask);

/// v <- (v - lo) * scale.
void rescale(Context&, Box box, float lo, float scale, View<float> image);
/// v <- min(max(v, lo), hi).
void clamp(Context&, Box box, Range range, View<float> image);
/// v <- f(v), where f is piecewise linear through the points (x[k], y[k]); the outer lines extend
/// beyond the ends. x ascends; 2 to 64 points.
void remap(Context&, Box box, const std::vector<float>& x, const std::vector<float>& y,
           View<float> image);

/// Rounds an image to half precision (core/half.hpp).
void store(Context&, Box box, View<const float> from, View<Half> to);
/// The intensities of an image in any storage.
void load(Context&, Box box, const ImageView& from, View<float> to);
/// 1 where the value is at least `threshold`, else 0.
void store_mask(Context&, Box box, float threshold, View<const float> from, View<std::uint8_t> to);

/// Sets image and mask to 0 wherever the image is NaN or infinite.
void drop_missing(Context&, Box box, View<float> image, View<std::uint8_t> mask);

/// Continues an image beyond its mask: a voxel where the mask is 0 gets the mean of those of its 26
/// neighbours where the mask is not 0, or 0 if there is none. Its old value is not read.
/// @param domain  whole image; neighbours outside it do not count
/// @param image   [z,y,x] stored over at least `box` and the neighbours within the domain
/// @param mask    likewise
void extend(Context&, Box domain, Box box, View<const std::uint8_t> mask, View<float> image);

}  // namespace ffdp::intensity
