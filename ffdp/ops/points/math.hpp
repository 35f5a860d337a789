// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <cstdint>

#include "ffdp/core/affine.hpp"
#include "ffdp/core/host_device.hpp"
#include "ffdp/core/view.hpp"

namespace ffdp::points {

/// Whether the continuous index q lies in the image, by ITK's rule; false for NaN.
FFDP_HD inline bool inside(const Box& domain, const Vec3& q) {
  for (int axis = 0; axis < 3; ++axis)
    if (!(q[axis] >= domain.lo[axis] - 0.5 && q[axis] < domain.hi[axis] - 0.5)) return false;
  return true;
}

FFDP_HD inline int clamp_index(int i, int lo, int hi) { return i < lo ? lo : i >= hi ? hi - 1 : i; }

/// Index mirrored about the first and last voxel of [lo, hi), any distance away.
FFDP_HD inline int mirror_index(int i, int lo, int hi) {
  const int n = hi - lo;
  if (n == 1) return lo;
  const int period = 2 * n - 2;
  int k = (i - lo) % period;
  if (k < 0) k += period;
  return lo + (k < n ? k : period - k);
}

FFDP_HD inline int nearest_index(double q, int lo, int hi) {
  return clamp_index(static_cast<int>(std::floor(q + 0.5)), lo, hi);
}

/// The two voxels around q and their weights, voxels clamped to [lo, hi).
struct LinearTap {
  int i[2];
  double w[2];
};
FFDP_HD inline LinearTap linear_tap(double q, int lo, int hi) {
  int i = static_cast<int>(q);
  i -= q < i;  // floor, without a call where the processor has no instruction for it
  const double f = q - i;
  return {{clamp_index(i, lo, hi), clamp_index(i + 1, lo, hi)}, {1 - f, f}};
}

/// Taps of a wider kernel on one axis.
template <int Count>
struct Taps {
  int i[Count];
  double w[Count];
};

FFDP_HD inline Taps<4> bspline_taps(double q, int lo, int hi) {
  const double base = std::floor(q), f = q - base, g = 1 - f;
  const int i = static_cast<int>(base);
  Taps<4> t{{},
            {g * g * g / 6, 2.0 / 3 - f * f + f * f * f / 2, 2.0 / 3 - g * g + g * g * g / 2,
             f * f * f / 6}};
  for (int k = 0; k < 4; ++k) t.i[k] = mirror_index(i - 1 + k, lo, hi);
  return t;
}

constexpr int sinc_radius = 4;

/// sin(pi t) / (pi t) times the Hamming window 0.54 + 0.46 cos(pi t / radius).
FFDP_HD inline double windowed_sinc(double t) {
  constexpr double pi = 3.14159265358979323846;
  if (t == 0) return 1;
  return std::sin(pi * t) / (pi * t) * (0.54 + 0.46 * std::cos(pi * t / sinc_radius));
}

FFDP_HD inline Taps<2 * sinc_radius> sinc_taps(double q, int lo, int hi) {
  const double base = std::floor(q), f = q - base;
  const int i = static_cast<int>(base);
  Taps<2 * sinc_radius> t{};
  double sum = 0;
  for (int k = 0; k < 2 * sinc_radius; ++k) {
    const int offset = k + 1 - sinc_radius;
    t.i[k] = clamp_index(i + offset, lo, hi);
    t.w[k] = windowed_sinc(f - offset);
    sum += t.w[k];
  }
  for (double& w : t.w) w /= sum;
  return t;
}

/// The taps of a point on all axes.
struct LinearTaps {
  LinearTap z, y, x;
};
FFDP_HD inline LinearTaps linear_taps(const Box& domain, const Vec3& q) {
  return {linear_tap(q[0], domain.lo[0], domain.hi[0]),
          linear_tap(q[1], domain.lo[1], domain.hi[1]),
          linear_tap(q[2], domain.lo[2], domain.hi[2])};
}

/// Trilinear value of a point inside. A corner of weight 0 is not read, so that neither its NaN
/// nor a halo that is not stored can matter.
template <class T>
FFDP_HD double linear_value(const View<const T>& image, const LinearTaps& t) {
  double value = 0;
  for (int k = 0; k < 2; ++k)
    for (int j = 0; j < 2; ++j) {
      const double w = t.z.w[k] * t.y.w[j];
      if (w == 0) continue;
      const T* row = image.row(t.z.i[k], t.y.i[j]);
      double along = 0;
      for (int i = 0; i < 2; ++i)
        if (t.x.w[i] != 0) along += t.x.w[i] * static_cast<double>(row[t.x.i[i]]);
      value += w * along;
    }
  return value;
}

template <class T>
FFDP_HD T nearest_value(const View<const T>& image, const Box& domain, const Vec3& q) {
  return image(nearest_index(q[0], domain.lo[0], domain.hi[0]),
               nearest_index(q[1], domain.lo[1], domain.hi[1]),
               nearest_index(q[2], domain.lo[2], domain.hi[2]));
}

template <class T, int Count>
FFDP_HD double tensor_value(const View<const T>& image, const Taps<Count>& z, const Taps<Count>& y,
                            const Taps<Count>& x) {
  double value = 0;
  for (int k = 0; k < Count; ++k)
    for (int j = 0; j < Count; ++j) {
      const T* row = image.row(z.i[k], y.i[j]);
      double along = 0;
      for (int i = 0; i < Count; ++i) along += x.w[i] * static_cast<double>(row[x.i[i]]);
      value += z.w[k] * y.w[j] * along;
    }
  return value;
}

/// The label with the largest sum of trilinear weights, the smaller one in a tie.
template <class T>
FFDP_HD T vote_value(const View<const T>& image, const Box& domain, const Vec3& q) {
  const auto [z, y, x] = linear_taps(domain, q);
  T label[8];
  double weight[8];
  int count = 0;
  for (int corner = 0; corner < 8; ++corner) {
    const int k = corner >> 2, j = (corner >> 1) & 1, i = corner & 1;
    const double w = z.w[k] * y.w[j] * x.w[i];
    if (w == 0) continue;
    const T here = image(z.i[k], y.i[j], x.i[i]);
    int slot = 0;
    while (slot < count && label[slot] != here) ++slot;
    if (slot == count) {
      label[count] = here;
      weight[count++] = 0;
    }
    weight[slot] += w;
  }
  int best = 0;
  for (int slot = 1; slot < count; ++slot)
    if (weight[slot] > weight[best] || (weight[slot] == weight[best] && label[slot] < label[best]))
      best = slot;
  return label[best];
}

/// A pole of the prefilter of a B-spline; by default that of the cubic one.
struct SplinePole {
  double pole = -0.26794919243112270647;  ///< sqrt(3) - 2
  double gain = 6;                        ///< (1 - pole) (1 - 1 / pole)
  int horizon = 28;                       ///< pole^horizon < 1e-16
};

/// B-spline prefilter of one line for one pole: forward and backward, mirrored at both ends.
template <class T>
FFDP_HD void filter_line(T* line, int n, std::int64_t stride, const SplinePole& spline = {}) {
  if (n == 1) return;
  const double pole = spline.pole, gain = spline.gain;
  const auto at = [&](int i) -> T& { return line[i * stride]; };
  double sum = 0, power = 1;
  for (int i = 0; i < spline.horizon; ++i) {
    sum += power * static_cast<double>(at(mirror_index(i, 0, n)));
    power *= pole;
  }
  double previous = gain * sum;
  at(0) = static_cast<T>(previous);
  for (int i = 1; i < n; ++i) {
    previous = gain * static_cast<double>(at(i)) + pole * previous;
    at(i) = static_cast<T>(previous);
  }
  double next = pole / (pole * pole - 1) *
                (static_cast<double>(at(n - 1)) + pole * static_cast<double>(at(n - 2)));
  at(n - 1) = static_cast<T>(next);
  for (int i = n - 2; i >= 0; --i) {
    next = pole * (next - static_cast<double>(at(i)));
    at(i) = static_cast<T>(next);
  }
}

}  // namespace ffdp::points
