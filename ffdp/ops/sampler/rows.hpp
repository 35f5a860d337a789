// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>

#include "ffdp/core/view.hpp"
#include "ffdp/ops/sampler/math.hpp"

/// Finds the cells of the moving image for rows of the fixed grid, on the CPU (locator.cuh: on
/// CUDA).
namespace ffdp::sampler::rows {

/// One row of the fixed grid: displacement rows (zeros where absent) and the map.
struct Row {
  RowMap map;
  const float *uz, *uy, *ux;
};

inline Row make_row(const Params& p, VectorView<const float> u, const float* zeros, int z, int y) {
  return {row_map(p, z, y), u ? u[0].row(z, y) : zeros, u ? u[1].row(z, y) : zeros,
          u ? u[2].row(z, y) : zeros};
}

/// The cell of q(x). Offsets have 32 bits if the moving image allows it, so that a gather loads 16
/// values.
template <class Offset>
struct Cell {
  Offset base, dz, dy, dx;  ///< of the first stored voxel where the sample does not count
  float fz, fy, fx;
  bool inside;  ///< within the moving image
  bool held;    ///< its corners are stored
  bool free_z, free_y, free_x;

  bool counts() const { return inside && held; }
};

/// What the corners are used for. A value needs no upper neighbour at fraction 0, which then may
/// not be stored; a gradient always needs it.
enum class Need { value, gradient };

/// Whether the moving image is stored over its whole domain.
enum class Stored { all, part };

template <class Offset, Need need, Stored storage>
struct Locator {
  View<const float> moving;
  Box domain;
  Offset sz, sy;

  explicit Locator(View<const float> image, const Box& box)
      : moving(image),
        domain(box),
        sz(static_cast<Offset>(image.stride_z)),
        sy(static_cast<Offset>(image.stride_y)) {}

  /// Inlined by force: as a call it would keep the loops below from being vectorised well.
  [[gnu::always_inline]] AxisCell along(const Row& r, int axis, int x) const {
    const float q = mapped(r.map, axis, static_cast<float>(x), r.uz[x], r.uy[x], r.ux[x]);
    return axis_cell(q, domain.lo[axis], domain.hi[axis]);
  }
  /// The mask at the voxel nearest to a sample inside; 1 if its cell is not stored.
  std::uint8_t nearest(const Row& r, int x, const View<const std::uint8_t>& mask) const {
    const AxisCell z = along(r, 0, x), y = along(r, 1, x), w = along(r, 2, x);
    if (!(holds(z, 0) && holds(y, 1) && holds(w, 2))) return 1;
    const auto at = [](const AxisCell& cell) { return cell.lower + (cell.fraction >= 0.5F); };
    return mask(at(z), at(y), at(w));
  }
  Cell<Offset> operator()(const Row& r, int x) const {
    const AxisCell z = along(r, 0, x), y = along(r, 1, x), w = along(r, 2, x);
    const Offset base = static_cast<Offset>(z.lower - moving.stored.lo[0]) * sz +
                        static_cast<Offset>(y.lower - moving.stored.lo[1]) * sy +
                        static_cast<Offset>(w.lower - moving.stored.lo[2]);
    const bool inside = z.inside && y.inside && w.inside;
    const bool held = holds(z, 0) && holds(y, 1) && holds(w, 2), counts = inside && held;
    // Any stored voxel will do for a value that is not used.
    return {counts ? base : Offset{0},
            counts && upper(z, 0) ? sz : Offset{0},
            counts && upper(y, 1) ? sy : Offset{0},
            counts && upper(w, 2) ? Offset{1} : Offset{0},
            z.fraction,
            y.fraction,
            w.fraction,
            inside,
            held,
            !z.clamped,
            !y.clamped,
            !w.clamped};
  }
  bool upper(const AxisCell& cell, int axis) const {
    return need == Need::gradient ? domain.size(axis) > 1 : cell.fraction > 0;
  }
  bool holds(const AxisCell& cell, int axis) const {
    return storage == Stored::all || (cell.lower >= moving.stored.lo[axis] &&
                                      cell.lower + upper(cell, axis) < moving.stored.hi[axis]);
  }
  void corners(const Cell<Offset>& c, float (&v)[8]) const {
    const float* d = moving.data;
    v[0] = d[c.base];
    v[1] = d[c.base + c.dx];
    v[2] = d[c.base + c.dy];
    v[3] = d[c.base + c.dy + c.dx];
    v[4] = d[c.base + c.dz];
    v[5] = d[c.base + c.dz + c.dx];
    v[6] = d[c.base + c.dz + c.dy];
    v[7] = d[c.base + c.dz + c.dy + c.dx];
  }
};

/// Calls body(locator) for the storage of the moving image.
template <Need need, class Body>
auto with_offsets(View<const float> moving, const Box& domain, Body&& body) {
  const std::int64_t extent = moving.stride_z * moving.stored.size(0);
  const bool small = extent < std::numeric_limits<std::int32_t>::max();
  const bool all = moving.stored.contains(domain);
  if (small && all) return body(Locator<std::int32_t, need, Stored::all>(moving, domain));
  if (small) return body(Locator<std::int32_t, need, Stored::part>(moving, domain));
  if (all) return body(Locator<std::int64_t, need, Stored::all>(moving, domain));
  return body(Locator<std::int64_t, need, Stored::part>(moving, domain));
}

}  // namespace ffdp::sampler::rows
