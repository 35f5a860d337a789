// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "ffdp/core/host_device.hpp"

namespace ffdp {

/// Position of a point along one axis of an image with lo <= index < hi. The point is inside if
/// lo - 0.5 <= q < hi - 0.5 (ITK's rule); the outer half voxel has the edge value.
struct AxisCell {
  int lower;       ///< index of the lower neighbour
  float fraction;  ///< weight of the upper neighbour, lower + 1 (0 where there is none)
  bool inside;
  bool clamped;  ///< in the outer half voxel or beyond: the derivative along this axis is 0
};

FFDP_HD inline AxisCell axis_cell(float q, int lo, int hi) {
  const float first = static_cast<float>(lo), last = static_cast<float>(hi - 1);
  const bool inside = q >= first - 0.5F && q < last + 0.5F;
  const bool clamped = !(q >= first && q <= last) || hi - lo == 1;
  float c = q > first ? q : first;
  c = c < last ? c : last;
  int lower = static_cast<int>(c);
  lower = static_cast<float>(lower) > c ? lower - 1 : lower;
  const int top = hi - 2 > lo ? hi - 2 : lo;
  lower = lower < top ? lower : top;
  return {lower, c - static_cast<float>(lower), inside, clamped};
}

/// Eight corner values, index 4 z + 2 y + x.
template <class T>
FFDP_HD inline T trilinear(const T (&v)[8], T fz, T fy, T fx) {
  const T a = v[0] + fx * (v[1] - v[0]), b = v[2] + fx * (v[3] - v[2]);
  const T c = v[4] + fx * (v[5] - v[4]), d = v[6] + fx * (v[7] - v[6]);
  const T e = a + fy * (b - a), f = c + fy * (d - c);
  return e + fz * (f - e);
}

/// Gradient of the trilinear interpolant along z, y, x.
template <class T>
struct Gradient3 {
  T z, y, x;
};

template <class T>
FFDP_HD inline Gradient3<T> trilinear_gradient(const T (&v)[8], T fz, T fy, T fx) {
  const T x00 = v[1] - v[0], x01 = v[3] - v[2], x10 = v[5] - v[4], x11 = v[7] - v[6];
  const T a = v[0] + fx * x00, b = v[2] + fx * x01, c = v[4] + fx * x10, d = v[6] + fx * x11;
  const T y0 = b - a, y1 = d - c;
  const T x0 = x00 + fy * (x01 - x00), x1 = x10 + fy * (x11 - x10);
  return {(c + fy * y1) - (a + fy * y0), y0 + fz * (y1 - y0), x0 + fz * (x1 - x0)};
}

}  // namespace ffdp
