// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/points/points.hpp"

namespace ffdp::points {

/// The functions of a backend, for dispatch: cpu.cpp defines On<Backend::cpu>, cuda.cu
/// On<Backend::cuda>.
template <Backend>
struct On {
  template <class T>
  static void sample(Context& ctx, const Params& params, const Box& domain, View<const T> image,
                     std::span<const Vec3> points, std::span<double> out);
  template <class T>
  static void nearest_label(Context& ctx, const Box& domain, View<const T> image, T fill,
                            std::span<const Vec3> points, std::span<T> out);
  template <class T>
  static void vote_label(Context& ctx, const Box& domain, View<const T> image, T fill,
                         std::span<const Vec3> points, std::span<T> out);
  static void sample_vectors(Context& ctx, const Box& domain, VectorView<const float> field,
                             std::span<const Vec3> points, std::span<Vec3> vectors);
  template <class T>
  static void bspline_coefficients(Context& ctx, View<T> image);
};

}  // namespace ffdp::points
