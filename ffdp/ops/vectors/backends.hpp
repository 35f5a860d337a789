// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/vectors/vectors.hpp"

namespace ffdp::vectors {

/// The functions of a backend, for dispatch: cpu.cpp defines On<Backend::cpu>, cuda.cu
/// On<Backend::cuda>.
template <Backend>
struct On {
  static void transform(Context&, Box box, const Mat3& m, float limit, VectorView<const float> in,
                        VectorView<float> out);
  static void component(Context&, Box box, const Vec3& row, VectorView<const float> in,
                        View<float> out);
  static void average(Context&, Box box, VectorView<float> a, VectorView<const float> b);
  static void copy(Context&, Box box, VectorView<const float> from, VectorView<float> to);
  static void zero(Context&, Box box, VectorView<float> field);
  static float largest(Context&, Box box, VectorView<const float> field);
  static Extent extent(Context&, Box box, VectorView<const float> field);
  template <class T>
  static PlaneSums<double> sum_squares(Context&, Box box, VectorView<const T> field);
};

}  // namespace ffdp::vectors
