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

/// The cell of base + offset. The fraction is computed from the offset alone, so that it keeps the
/// digits of a small displacement far from the origin.
template <class T>
FFDP_HD inline Cell<T> cell(Padding padding, Mode mode, int base, T offset, int lo, int hi) {
  constexpr T far = 1 << 24;               // beyond every image
  offset = offset > -far ? offset : -far;  // NaN, too
  offset = offset < far ? offset : far;
  const bool border = padding == Padding::border;
  if (mode == Mode::nearest) {
    const int index = static_cast<int>(std::rint(static_cast<T>(base) + offset));
    return {!border ? index : index < lo ? lo : index < hi ? index : hi - 1, T(0), T(0)};
  }
  const T below = std::floor(offset), fraction = offset - below;
  const int lower = base + static_cast<int>(below);
  if (border && (lower < lo || (lower == lo && fraction == 0))) return {lo, T(0), T(0)};
  if (border && lower >= hi - 1) return {hi - 1, T(0), T(0)};
  return {lower, fraction, T(1)};
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
  const int index[3] = {z, y, x}, first = 3 - p.axes;
  T u[3] = {};
  if (in.displacement) {
    const T* const from = &in.displacement[0](z, y, x);
    for (int a = 0; a < 3; ++a)  // constant indices keep u in registers
      if (a >= first) u[a] = from[(a - first) * in.displacement.stride_c];
  }
  Point<T> at;
  for (int a = 0; a < 3; ++a) at.before[a] = static_cast<T>(index[a]) + u[a];
  for (int a = 0; a < 3; ++a) {
    int base = index[a];
    T offset = u[a];
    if (in.affine) {
      const T* row = in.affine + 4 * a;
      base = 0;
      offset = row[0] * at.before[0] + row[1] * at.before[1] + row[2] * at.before[2] + row[3];
    }
    at.cell[a] = cell(p.padding, p.mode, base, offset, domain.lo[a], domain.hi[a]);
  }
  return at;
}

/// The two neighbours of a sample along one axis: the stored ones. Where only one is stored, it is
/// the first, and the second has weight 0 and the same place, so that it can be read.
/// @tparam Offset  32 bits where a channel of the image allows it
template <class T, class Offset>
struct Neighbours {
  Offset offset, step;  ///< of the first from the first stored voxel, of the second from the first
  T weight[2];
  T slope[2];  ///< d(weight) / dq
  bool any;    ///< one of them is stored

  FFDP_HD Neighbours(const Cell<T>& cell, int lo, int hi, Offset stride) {
    const int lower = cell.lower - lo, last = hi - 1 - lo;
    const bool both = static_cast<unsigned>(lower) < static_cast<unsigned>(last);
    const bool upper = lower == -1, none = lower < -1 || lower > last;
    const int first = lower < 0 ? 0 : lower > last ? last : lower;
    offset = static_cast<Offset>(first) * stride;
    step = both ? stride : 0;
    weight[0] = none ? T(0) : upper ? cell.fraction : 1 - cell.fraction;
    weight[1] = both ? cell.fraction : T(0);
    slope[0] = none ? T(0) : upper ? cell.slope : -cell.slope;
    slope[1] = both ? cell.slope : T(0);
    any = !none;
  }
  /// Of a sample whose two neighbours are stored.
  FFDP_HD Neighbours(Offset first, T fraction, Offset stride)
      : offset(first),
        step(stride),
        weight{1 - fraction, fraction},
        slope{T(-1), T(1)},
        any(true) {}
};

/// The eight corners of a sample; corner i = 4 z + 2 y + x.
template <class T, class Offset = std::int64_t>
struct Corners {
  Neighbours<T, Offset> z, y, x;
  bool any;  ///< one of them is stored

  FFDP_HD Corners(const Point<T>& at, const VectorView<const T>& image)
      : z(at.cell[0], image.stored.lo[0], image.stored.hi[0], static_cast<Offset>(image.stride_z)),
        y(at.cell[1], image.stored.lo[1], image.stored.hi[1], static_cast<Offset>(image.stride_y)),
        x(at.cell[2], image.stored.lo[2], image.stored.hi[2], 1),
        any(z.any && y.any && x.any) {}
  using Along = Neighbours<T, Offset>;
  FFDP_HD Corners(const Along& along_z, const Along& along_y, const Along& along_x)
      : z(along_z), y(along_y), x(along_x), any(z.any && y.any && x.any) {}
  /// From the first corner.
  FFDP_HD Offset step(int i) const {
    return (i & 4 ? z.step : 0) + (i & 2 ? y.step : 0) + (i & 1 ? x.step : 0);
  }
  FFDP_HD Offset first() const { return z.offset + y.offset + x.offset; }
  FFDP_HD T weight(int i) const { return z.weight[i / 4] * y.weight[i / 2 % 2] * x.weight[i % 2]; }
  FFDP_HD bool stored(int i) const {
    return any && (!(i & 4) || z.step) && (!(i & 2) || y.step) && (!(i & 1) || x.step);
  }
  /// Their values in a channel. No load waits for another.
  FFDP_HD void load(const T* channel, T (&value)[8]) const {
    const T* const from = channel + first();
#if defined(__CUDA_ARCH__)
#pragma unroll
#endif
    for (int i = 0; i < 8; ++i) value[i] = (from + step(i & 6))[i & 1 ? x.step : 0];
  }
};

/// w_0 a + w_1 b.
template <class T>
FFDP_HD inline T weighed(const T (&w)[2], T a, T b) {
  return w[0] * a + w[1] * b;
}

/// The sample of a channel.
template <class T, class Offset>
FFDP_HD inline T value_at(const Corners<T, Offset>& c, const T* channel) {
  T v[8];
  c.load(channel, v);
  T plane[2];
  for (int k = 0; k < 2; ++k)
    plane[k] = weighed(c.y.weight, weighed(c.x.weight, v[4 * k], v[4 * k + 1]),
                       weighed(c.x.weight, v[4 * k + 2], v[4 * k + 3]));
  return c.any ? weighed(c.z.weight, plane[0], plane[1]) : T(0);  // not 0 NaN
}

/// Adds g times the derivative of the sample of a channel w.r.t. q.
template <class T, class Offset>
FFDP_HD inline void add_slopes(const Corners<T, Offset>& c, const T* channel, T g, T (&grad_q)[3]) {
  T v[8];
  c.load(channel, v);
  T by_y[2], by_x[2], plane[2];
  for (int k = 0; k < 2; ++k) {
    const T *lower = v + 4 * k, *upper = lower + 2;
    const T a = weighed(c.x.weight, lower[0], lower[1]),
            b = weighed(c.x.weight, upper[0], upper[1]);
    plane[k] = weighed(c.y.weight, a, b);
    by_y[k] = weighed(c.y.slope, a, b);
    by_x[k] = weighed(c.y.weight, weighed(c.x.slope, lower[0], lower[1]),
                      weighed(c.x.slope, upper[0], upper[1]));
  }
  grad_q[0] += c.any ? g * weighed(c.z.slope, plane[0], plane[1]) : T(0);
  grad_q[1] += c.any ? g * weighed(c.z.weight, by_y[0], by_y[1]) : T(0);
  grad_q[2] += c.any ? g * weighed(c.z.weight, by_x[0], by_x[1]) : T(0);
}

/// Sets `result` to `value`, or adds `value` to it.
template <class T>
FFDP_HD inline void put(Into into, T& result, T value) {
  result = into == Into::add ? result + value : value;
}

template <class T>
FFDP_HD inline void sample(const Params& p, const Box& domain, const Inputs<T>& in, Into into,
                           const VectorView<T>& out, int z, int y, int x) {
  const Corners<T> corners(point(p, domain, in, z, y, x), in.image);
  T* const to = &out[0](z, y, x);
  for (int c = 0; c < p.channels; ++c)
    put(into, to[c * out.stride_c], value_at(corners, in.image.data + c * in.image.stride_c));
}

/// dL/dq of one sample; `scatter(address, value)` takes what goes to the image.
/// @param from  where the voxel lies in a channel of grad_out
template <class T, class Offset, class Scatter>
FFDP_HD inline void sample_vjp(int channels, const Corners<T, Offset>& corners, const Inputs<T>& in,
                               const VectorView<const T>& grad_out, const VectorView<T>& grad_image,
                               std::int64_t from, const Scatter& scatter, T (&grad_q)[3]) {
  for (int c = 0; c < channels; ++c) {
    const T g = grad_out.data[c * grad_out.stride_c + from];
    add_slopes(corners, in.image.data + c * in.image.stride_c, g, grad_q);
    if (!grad_image) continue;
    T* const to = grad_image.data + c * grad_image.stride_c + corners.first();
    for (int i = 0; i < 8; ++i)
      if (corners.stored(i)) scatter(to + corners.step(i), corners.weight(i) * g);
  }
}

/// Writes dL/du = A^T dL/dq, if it is wanted.
template <class T>
FFDP_HD inline void put_turned(const Params& p, const T* affine, const T (&grad_q)[3],
                               const Gradients<T>& to, int z, int y, int x) {
  if (!to.displacement) return;
  const int first = 3 - p.axes;
  T* const u = &to.displacement[0](z, y, x);
  for (int a = 0; a < 3; ++a) {
    if (a < first) continue;
    T g = grad_q[a];
    if (affine) g = affine[a] * grad_q[0] + affine[4 + a] * grad_q[1] + affine[8 + a] * grad_q[2];
    put(to.into, u[(a - first) * to.displacement.stride_c], g);
  }
}

/// Adds to the twelve sums of the affine.
template <class T>
FFDP_HD inline void add_affine(const Point<T>& at, const T (&grad_q)[3], double (&sums)[12]) {
  for (int a = 0; a < 3; ++a) {
    for (int b = 0; b < 3; ++b) sums[4 * a + b] += double(grad_q[a]) * double(at.before[b]);
    sums[4 * a + 3] += double(grad_q[a]);
  }
}

}  // namespace ffdp::resample
