// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/vectors/vectors.hpp"

namespace ffdp::vectors {
namespace cpu {
void transform(Context&, Box box, const Mat3& m, float limit, VectorView<const float> in,
               VectorView<float> out);
void component(Context&, Box box, const Vec3& row, VectorView<const float> in, View<float> out);
void average(Context&, Box box, VectorView<float> a, VectorView<const float> b);
void copy(Context&, Box box, VectorView<const float> from, VectorView<float> to);
void zero(Context&, Box box, VectorView<float> field);
float largest(Context&, Box box, VectorView<const float> field);
Extent extent(Context&, Box box, VectorView<const float> field);
template <class T>
PlaneSums<double> sum_squares(Context&, Box box, VectorView<const T> field);
}  // namespace cpu
namespace cuda {
void transform(Context&, Box box, const Mat3& m, float limit, VectorView<const float> in,
               VectorView<float> out);
void component(Context&, Box box, const Vec3& row, VectorView<const float> in, View<float> out);
void average(Context&, Box box, VectorView<float> a, VectorView<const float> b);
void copy(Context&, Box box, VectorView<const float> from, VectorView<float> to);
void zero(Context&, Box box, VectorView<float> field);
float largest(Context&, Box box, VectorView<const float> field);
Extent extent(Context&, Box box, VectorView<const float> field);
template <class T>
PlaneSums<double> sum_squares(Context&, Box box, VectorView<const T> field);
}  // namespace cuda
}  // namespace ffdp::vectors
