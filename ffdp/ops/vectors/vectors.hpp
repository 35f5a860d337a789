// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/affine.hpp"
#include "ffdp/core/context.hpp"
#include "ffdp/core/half.hpp"
#include "ffdp/core/plane_sums.hpp"
#include "ffdp/core/view.hpp"

/// Operations on each vector of a field by itself. No halo; fields are [3,z,y,x], stored over at
/// least `box`.
namespace ffdp::vectors {

/// out = m * in, components in the order of the rows and columns of m; cut to [-limit, limit].
/// `out` may be `in`.
/// @param limit  infinite for none
void transform(Context&, Box box, const Mat3& m, float limit, VectorView<const float> in,
               VectorView<float> out);

/// out = row . in, one component of a transformed field.
/// @param out  [z,y,x] stored over at least box
void component(Context&, Box box, const Vec3& row, VectorView<const float> in, View<float> out);

/// a <- (a + b) / 2.
void average(Context&, Box box, VectorView<float> a, VectorView<const float> b);

/// to <- from.
void copy(Context&, Box box, VectorView<const float> from, VectorView<float> to);

/// v <- 0.
void zero(Context&, Box box, VectorView<float> field);

/// Largest magnitude of a component; NaN is ignored.
float largest(Context&, Box box, VectorView<const float> field);

/// Smallest and largest value of each component (z, y, x); NaN is ignored. If all are NaN, lo is
/// +infinity and hi is -infinity.
struct Extent {
  float lo[3], hi[3];
};
Extent extent(Context&, Box box, VectorView<const float> field);

/// Sum of squared lengths. T is float or Half.
template <class T>
PlaneSums<double> sum_squares(Context&, Box box, VectorView<const T> field);

}  // namespace ffdp::vectors
