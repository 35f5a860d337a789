// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <limits>

#include "ffdp/core/image_view.hpp"
#include "ffdp/ops/common/voxels.cuh"
#include "ffdp/ops/sampler/math.hpp"

namespace ffdp::sampler {

/// The bounds of one axis of the moving image.
struct Axis {
  float first, last;   ///< centres of the outer voxels
  float below, above;  ///< ends of the extent
  float top;           ///< largest index of a lower neighbour
  bool flat;           ///< whether the axis has one voxel
};

/// The position of q(x) along one axis, as axis_cell computes it, from precomputed bounds.
struct Place {
  int lower;
  float fraction;
  bool inside, clamped;
};
__device__ inline Place place(float q, const Axis& axis) {
  const float c = fminf(fmaxf(q, axis.first), axis.last);  // NaN: first
  const float lower = fminf(floorf(c), axis.top);
  return {static_cast<int>(lower), c - lower, q >= axis.below && q < axis.above,
          !(q >= axis.first && q <= axis.last) || axis.flat};
}

struct Cell {
  Place z, y, x;
  bool held;  ///< whether its corners are stored
  __device__ bool inside() const { return z.inside && y.inside && x.inside; }
  __device__ bool counts() const { return inside() && held; }
};

/// What the corners are used for. A value needs no upper neighbour at fraction 0, which then may
/// not be stored; a gradient always needs it.
enum class Need { value, gradient };

/// Finds the cell of the moving image for a voxel of the fixed grid, and its corners. A point
/// beyond the image has the cell at the edge.
/// @tparam Offset  32 bits if the moving image allows it
/// @tparam whole   every corner is stored. Otherwise, the corners of a cell that is not held are
///                 replaced by the first stored voxel, so that they can be read
template <class T, Need need, class Offset, bool whole>
struct Locator {
  using Storage = T;
  Affine map;
  float step[3], s[3][3];  ///< as RowMap
  Axis axis[3];
  View<const T> moving;
  float scale, offset;  ///< of the intensities
  float outside;
  VectorView<const float> u;

  Locator(const Params& p, const ImageView& image, VectorView<const float> displacement)
      : map(p.map),
        moving(image.as<T>()),
        scale(image.scale),
        offset(image.offset),
        outside(p.outside),
        u(displacement) {
    const RowMap row = row_map(p, 0, 0);
    for (int c = 0; c < 3; ++c) {
      step[c] = row.step[c];
      for (int k = 0; k < 3; ++k) s[c][k] = row.s[c][k];
      const int lo = p.moving_domain.lo[c], hi = p.moving_domain.hi[c];
      const auto first = static_cast<float>(lo), last = static_cast<float>(hi - 1);
      axis[c] = {
          first,       last, first - 0.5F, last + 0.5F, static_cast<float>(std::max(hi - 2, lo)),
          hi - lo == 1};
    }
  }

  __device__ void prefetch(int z, int y, int x) const {
    if (u) device::prefetch(u, z, y, x);
  }
  /// q at x = 0 of a row, for u = 0.
  __device__ float start(int c, int z, int y) const { return row_start(map, c, z, y); }
  __device__ Cell operator()(const float (&row)[3], int z, int y, int x) const {
    float uz = 0, uy = 0, ux = 0;
    if (u) {
      const float* at = u.data + u[0].offset(z, y, x);
      uz = at[0];
      uy = at[u.stride_c];
      ux = at[2 * u.stride_c];
    }
    const float fx = static_cast<float>(x);
    const auto q = [&](int c) {
      return (row[c] + step[c] * fx) + (s[c][0] * uz + s[c][1] * uy + s[c][2] * ux);
    };
    Cell cell{place(q(0), axis[0]), place(q(1), axis[1]), place(q(2), axis[2]), true};
    if constexpr (!whole) cell.held = holds(cell.z, 0) && holds(cell.y, 1) && holds(cell.x, 2);
    return cell;
  }
  /// Whether the upper corner along an axis is read.
  __device__ bool upper(const Place& along, int a) const {
    return whole || (need == Need::gradient ? !axis[a].flat : along.fraction > 0);
  }
  __device__ bool holds(const Place& along, int a) const {
    return along.lower >= moving.stored.lo[a] &&
           along.lower + (upper(along, a) ? 1 : 0) < moving.stored.hi[a];
  }
  __device__ Cell at(int z, int y, int x) const {
    const float row[3] = {start(0, z, y), start(1, z, y), start(2, z, y)};
    return (*this)(row, z, y, x);
  }
  __device__ void corners(const Cell& c, float (&v)[8]) const {
    const auto sz = static_cast<Offset>(moving.stride_z), sy = static_cast<Offset>(moving.stride_y);
    const Offset base = static_cast<Offset>(c.z.lower - moving.stored.lo[0]) * sz +
                        static_cast<Offset>(c.y.lower - moving.stored.lo[1]) * sy +
                        (c.x.lower - moving.stored.lo[2]);
    const bool held = whole || c.held;
    const T* d = moving.data + (held ? base : 0);
    const Offset dz = held && upper(c.z, 0) ? sz : 0, dy = held && upper(c.y, 1) ? sy : 0;
    const int dx = held && upper(c.x, 2) ? 1 : 0;
    const T *d1 = d + dy, *d2 = d + dz, *d3 = d2 + dy;
    v[0] = to_float(d[0]);
    v[1] = to_float(d[dx]);
    v[2] = to_float(d1[0]);
    v[3] = to_float(d1[dx]);
    v[4] = to_float(d2[0]);
    v[5] = to_float(d2[dx]);
    v[6] = to_float(d3[0]);
    v[7] = to_float(d3[dx]);
  }
  __device__ float value(const Cell& c) const {
    float v[8];
    corners(c, v);
    return value(c, v);
  }
  __device__ float value(const Cell& c, const float (&v)[8]) const {
    return offset + scale * trilinear(v, c.z.fraction, c.y.fraction, c.x.fraction);
  }
  /// Gradient of I at q times `factor`; zero outside and along clamped axes.
  __device__ Gradient3<float> gradient(const Cell& c, float factor) const {
    float v[8];
    corners(c, v);
    return gradient(c, v, factor);
  }
  __device__ Gradient3<float> gradient(const Cell& c, const float (&v)[8], float factor) const {
    const auto d = trilinear_gradient(v, c.z.fraction, c.y.fraction, c.x.fraction);
    const float f = c.counts() ? factor * scale : 0.0F;
    return {c.z.clamped ? 0.0F : d.z * f, c.y.clamped ? 0.0F : d.y * f,
            c.x.clamped ? 0.0F : d.x * f};
  }
};

/// Calls body(locator) for the type and the storage of the moving image.
template <Need need, class Body>
auto with_locator(const Params& p, const ImageView& moving, VectorView<const float> u,
                  Body&& body) {
  const Box& domain = p.moving_domain;
  const bool whole = moving.stored.contains(domain) && domain.size(0) > 1 && domain.size(1) > 1 &&
                     domain.size(2) > 1;
  const bool small =
      moving.stride_z * moving.stored.size(0) < std::numeric_limits<std::int32_t>::max();
  return visit(moving, [&]<class T>(View<const T>) {
    if (whole && small) return body(Locator<T, need, std::int32_t, true>(p, moving, u));
    if (whole) return body(Locator<T, need, std::int64_t, true>(p, moving, u));
    return body(Locator<T, need, std::int64_t, false>(p, moving, u));
  });
}

}  // namespace ffdp::sampler
