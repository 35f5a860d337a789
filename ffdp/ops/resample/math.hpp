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

/// body(offset in a channel, weight, d weight / dq (z, y, x)) for the corners that are stored.
template <class T, class Body>
FFDP_HD inline void for_each_corner(const Point<T>& at, const View<const T>& channel,
                                    const Body& body) {
  for (int k = 0; k < 2; ++k)
    for (int j = 0; j < 2; ++j)
      for (int i = 0; i < 2; ++i) {
        const int z = at.cell[0].lower + k, y = at.cell[1].lower + j, x = at.cell[2].lower + i;
        if (!channel.stored.contains(z, y, x)) continue;
        const T wz = k ? at.cell[0].fraction : 1 - at.cell[0].fraction;
        const T wy = j ? at.cell[1].fraction : 1 - at.cell[1].fraction;
        const T wx = i ? at.cell[2].fraction : 1 - at.cell[2].fraction;
        const T slopes[3] = {(k ? wy * wx : -wy * wx) * at.cell[0].slope,
                             (j ? wz * wx : -wz * wx) * at.cell[1].slope,
                             (i ? wz * wy : -wz * wy) * at.cell[2].slope};
        body(channel.offset(z, y, x), wz * wy * wx, slopes);
      }
}

template <class T>
FFDP_HD inline void sample(const Params& p, const Box& domain, const Inputs<T>& in, Into into,
                           const VectorView<T>& out, int z, int y, int x) {
  const Point<T> at = point(p, domain, in, z, y, x);
  const std::int64_t to = out[0].offset(z, y, x);
  for (int c = 0; c < p.channels; ++c) {
    const T* image = in.image.data + c * in.image.stride_c;
    T sum = 0;
    for_each_corner(at, in.image[0], [&](std::int64_t offset, T weight, const T(&)[3]) {
      sum += weight * image[offset];
    });
    T& result = out.data[c * out.stride_c + to];
    result = into == Into::add ? result + sum : sum;
  }
}

/// dL/dq of one sample (z, y, x); `scatter(address, value)` takes what goes to the image.
template <class T, class Scatter>
FFDP_HD inline void sample_vjp(const Params& p, const Point<T>& at, const Inputs<T>& in,
                               const VectorView<const T>& grad_out, const VectorView<T>& grad_image,
                               std::int64_t from, const Scatter& scatter, T (&grad_q)[3]) {
  for (int c = 0; c < p.channels; ++c) {
    const T g = grad_out.data[c * grad_out.stride_c + from];
    const T* image = in.image.data + c * in.image.stride_c;
    for_each_corner(at, in.image[0], [&](std::int64_t offset, T weight, const T(&slopes)[3]) {
      const T value = image[offset];
      for (int a = 0; a < 3; ++a) grad_q[a] += g * value * slopes[a];
      if (grad_image) scatter(grad_image.data + c * grad_image.stride_c + offset, weight * g);
    });
  }
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
