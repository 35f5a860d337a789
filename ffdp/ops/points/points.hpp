// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "ffdp/core/affine.hpp"
#include "ffdp/core/context.hpp"
#include "ffdp/core/view.hpp"

/// Samples an image at a list of points, with ITK's rules. A point is inside if
/// -0.5 <= q < n - 0.5 on every axis; NaN coordinates are outside. For a point inside, voxels
/// beyond the edge have the edge value (bspline: mirrored values). For a point outside, the result
/// is `fill`.
///
/// Points and results are in host memory, the image is in memory of the backend.
/// Points are continuous indices (z, y, x) [voxels] of `domain`, the whole image. The image must
/// be stored over reach(params, domain, points), the voxels that these points need.
/// Instantiated for float, double and all integers of 8 to 64 bits.
namespace ffdp::points {

enum class Mode {
  linear,
  nearest,  ///< halves round up, as in ITK
  bspline,  ///< cubic; the image holds the coefficients that bspline_coefficients makes
  sinc      ///< windowed sinc, Hamming window of radius 4, weights scaled to sum 1
};

struct Params {
  Mode mode = Mode::linear;
  double fill = 0;  ///< value outside the image [intensity]
  friend bool operator==(const Params&, const Params&) = default;
};

/// Half width of the voxels around a point that `mode` reads [voxels].
constexpr int halo(Mode mode) { return mode == Mode::sinc ? 4 : mode == Mode::bspline ? 2 : 1; }

/// The smallest box of voxels that sampling at `points` may read; empty if none is inside.
Box reach(const Params& params, const Box& domain, std::span<const Vec3> points);

/// Samples at `points` into `out` [intensity], one value per point.
/// @param image  [z,y,x] stored over at least reach(params, domain, points)
template <class T>
void sample(Context& ctx, const Params& params, const Box& domain, View<const T> image,
            std::span<const Vec3> points, std::span<double> out);

/// The label at the nearest voxel, exact for every integer; `fill` outside.
/// @param image  [z,y,x] stored as for sample with Mode::nearest
template <class T>
void nearest_label(Context& ctx, const Box& domain, View<const T> image, T fill,
                   std::span<const Vec3> points, std::span<T> out);

/// The label with the largest sum of trilinear weights (ITK's GenericLabel with linear weights);
/// the smaller label if two sums are equal. `fill` outside.
/// @param image  [z,y,x] stored as for sample with Mode::linear
template <class T>
void vote_label(Context& ctx, const Box& domain, View<const T> image, T fill,
                std::span<const Vec3> points, std::span<T> out);

/// Trilinear samples of a vector field; zero outside, as ITK's displacement field transform.
/// @param field   [3,z,y,x] stored over at least reach(linear, domain, points)
/// @param vectors one per point; element c is component c of the field
void sample_vectors(Context& ctx, const Box& domain, VectorView<const float> field,
                    std::span<const Vec3> points, std::span<Vec3> vectors);

/// Turns voxels into cubic B-spline coefficients, in place, mirrored at the edges of `image`
/// (which is the whole image): sampling them with Mode::bspline interpolates the voxels.
/// @param image  [z,y,x] float or double
template <class T>
void bspline_coefficients(Context& ctx, View<T> image);

}  // namespace ffdp::points
