// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>

#include "ffdp/core/host_device.hpp"
#include "ffdp/ops/resample/resample.hpp"

namespace ffdp::resample {

/// Where a sample lies along one axis.
template <class T>
struct Cell {
  int lower;   ///< index of the lower neighbour
  T fraction;  ///< weight of the upper one
  T slope;     ///< d(position used) / dq: 0 where q is clamped
};

template <class T>
FFDP_HD inline Cell<T> cell(Padding padding, Mode mode, T q, int lo, int hi) {
  const T first = static_cast<T>(lo), last = static_cast<T>(hi - 1);
  T slope = mode == Mode::linear ? T(1) : T(0);
  if (padding == Padding::border) {
    if (!(q > first)) {  // NaN, too
      q = first;
      slope = 0;
    } else if (!(q < last)) {
      q = last;
      slope = 0;
    }
  } else if (!(q > first - 2) || !(q < last + 2)) {
    return {lo - 2, T(0), T(0)};
  }
  if (mode == Mode::nearest) return {static_cast<int>(std::rint(q)), T(0), T(0)};
  const T below = std::floor(q);
  return {static_cast<int>(below), q - below, slope};
}

/// A sample point: its cells along z, y, x, and the position x + u before the affine.
template <class T>
struct Point {
  Cell<T> cell[3];
  T before[3];
};

template <class T>
FFDP_HD inline Point<T> point(const Params& p, const Box& domain, const Inputs<T>& in, int z, int y,
                              int x) {
  Point<T> at{{}, {static_cast<T>(z), static_cast<T>(y), static_cast<T>(x)}};
  if (in.displacement)
    for (int c = 0; c < p.axes; ++c) at.before[3 - p.axes + c] += in.displacement[c](z, y, x);
  for (int a = 0; a < 3; ++a) {
    T q = at.before[a];
    if (in.affine) {
      const T* row = in.affine + 4 * a;
      q = row[0] * at.before[0] + row[1] * at.before[1] + row[2] * at.before[2] + row[3];
    }
    at.cell[a] = cell(p.padding, p.mode, q, domain.lo[a], domain.hi[a]);
  }
  return at;
}

/// The eight corners of a sample, z slowest: which are stored, and where, in any channel.
template <class T>
struct Corners {
  std::int64_t first, stride_z, stride_y;  ///< offset of the lowest corner, and to the others
  bool stored[8];

  FFDP_HD Corners(const Point<T>& at, const View<const T>& channel)
      : stride_z(channel.stride_z), stride_y(channel.stride_y) {
    const int z = at.cell[0].lower, y = at.cell[1].lower, x = at.cell[2].lower;
    const Box& box = channel.stored;
    bool inside[3][2];
    for (int k = 0; k < 2; ++k) {
      inside[0][k] = z + k >= box.lo[0] && z + k < box.hi[0];
      inside[1][k] = y + k >= box.lo[1] && y + k < box.hi[1];
      inside[2][k] = x + k >= box.lo[2] && x + k < box.hi[2];
    }
    first = channel.offset(z, y, x);
    for (int i = 0; i < 8; ++i)
      stored[i] = inside[0][i / 4] && inside[1][i / 2 % 2] && inside[2][i % 2];
  }
  FFDP_HD std::int64_t offset(int i) const {
    return first + (i / 4) * stride_z + (i / 2 % 2) * stride_y + i % 2;
  }
  /// Their values; 0 where none is stored. No load waits for another.
  FFDP_HD void load(const T* image, T (&value)[8]) const {
#if defined(__CUDA_ARCH__)
#pragma unroll
#endif
    for (int i = 0; i < 8; ++i) value[i] = stored[i] ? image[offset(i)] : T(0);
  }
};

/// Weight of corner i along one axis.
template <class T>
FFDP_HD inline T weight(const Cell<T>& cell, int upper) {
  return upper ? cell.fraction : 1 - cell.fraction;
}

template <class T>
FFDP_HD inline void sample(const Params& p, const Box& domain, const Inputs<T>& in, Into into,
                           const VectorView<T>& out, int z, int y, int x) {
  const Point<T> at = point(p, domain, in, z, y, x);
  const Corners<T> corners(at, in.image[0]);
  const std::int64_t to = out[0].offset(z, y, x);
  for (int c = 0; c < p.channels; ++c) {
    T value[8], sum = 0;
    corners.load(in.image.data + c * in.image.stride_c, value);
    for (int i = 0; i < 8; ++i)
      sum += weight(at.cell[0], i / 4) * weight(at.cell[1], i / 2 % 2) * weight(at.cell[2], i % 2) *
             value[i];
    T& result = out.data[c * out.stride_c + to];
    result = into == Into::add ? result + sum : sum;
  }
}

/// dL/dq of one sample (z, y, x); `scatter(address, value)` takes what goes to the image.
template <class T, class Scatter>
FFDP_HD inline void sample_vjp(const Params& p, const Point<T>& at, const Inputs<T>& in,
                               const VectorView<const T>& grad_out, const VectorView<T>& grad_image,
                               std::int64_t from, const Scatter& scatter, T (&grad_q)[3]) {
  const Corners<T> corners(at, in.image[0]);
  for (int c = 0; c < p.channels; ++c) {
    const T g = grad_out.data[c * grad_out.stride_c + from];
    T value[8];
    corners.load(in.image.data + c * in.image.stride_c, value);
    for (int i = 0; i < 8; ++i) {
      const T wz = weight(at.cell[0], i / 4), wy = weight(at.cell[1], i / 2 % 2),
              wx = weight(at.cell[2], i % 2), gv = g * value[i];
      grad_q[0] += (i / 4 ? gv : -gv) * wy * wx;
      grad_q[1] += (i / 2 % 2 ? gv : -gv) * wz * wx;
      grad_q[2] += (i % 2 ? gv : -gv) * wz * wy;
      if (grad_image && corners.stored[i])
        scatter(grad_image.data + c * grad_image.stride_c + corners.offset(i), wz * wy * wx * g);
    }
  }
  for (int a = 0; a < 3; ++a) grad_q[a] *= at.cell[a].slope;
}

/// From dL/dq to dL/du and to the twelve sums of the affine (added).
template <class T>
FFDP_HD inline void pull_back(const Params& p, const Point<T>& at, const Inputs<T>& in,
                              const T (&grad_q)[3], const Gradients<T>& to, int z, int y, int x,
                              double (&sums)[12]) {
  if (to.displacement)
    for (int c = 0; c < p.axes; ++c) {
      const int a = 3 - p.axes + c;
      T g = grad_q[a];
      if (in.affine)
        g = in.affine[a] * grad_q[0] + in.affine[4 + a] * grad_q[1] + in.affine[8 + a] * grad_q[2];
      T& result = to.displacement[c](z, y, x);
      result = to.into == Into::add ? result + g : g;
    }
  for (int a = 0; a < 3; ++a) {
    for (int b = 0; b < 3; ++b) sums[4 * a + b] += double(grad_q[a]) * double(at.before[b]);
    sums[4 * a + 3] += double(grad_q[a]);
  }
}

}  // namespace ffdp::resample
