// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

#include "ffdp/core/host_device.hpp"

namespace ffdp {

/// Three voxel numbers, always in the order z, y, x.
using Int3 = std::array<int, 3>;

/// Half-open box [lo, hi) of global voxel indices, axes z, y, x.
struct Box {
  Int3 lo{};
  Int3 hi{};

  FFDP_HD constexpr int size(int axis) const { return hi[axis] - lo[axis]; }
  FFDP_HD constexpr bool empty() const { return size(0) <= 0 || size(1) <= 0 || size(2) <= 0; }
  /// Number of voxels [voxels]; 64 bits, because 2048^3 overflows 32.
  FFDP_HD constexpr std::int64_t volume() const {
    return empty() ? 0 : std::int64_t{size(0)} * size(1) * size(2);
  }
  FFDP_HD constexpr bool contains(int z, int y, int x) const {
    return z >= lo[0] && z < hi[0] && y >= lo[1] && y < hi[1] && x >= lo[2] && x < hi[2];
  }
  constexpr bool contains(const Box& other) const {
    for (int axis = 0; axis < 3; ++axis)
      if (other.lo[axis] < lo[axis] || other.hi[axis] > hi[axis]) return false;
    return true;
  }
  friend constexpr bool operator==(const Box&, const Box&) = default;
};

/// The box [0, size).
constexpr Box box_of(Int3 size) { return {{0, 0, 0}, size}; }

constexpr Box intersect(const Box& a, const Box& b) {
  Box r;
  for (int axis = 0; axis < 3; ++axis) {
    r.lo[axis] = std::max(a.lo[axis], b.lo[axis]);
    r.hi[axis] = std::max(r.lo[axis], std::min(a.hi[axis], b.hi[axis]));
  }
  return r;
}

/// The smallest box that contains both.
constexpr Box hull(const Box& a, const Box& b) {
  if (a.empty() || b.empty()) return a.empty() ? b : a;
  Box r;
  for (int axis = 0; axis < 3; ++axis) {
    r.lo[axis] = std::min(a.lo[axis], b.lo[axis]);
    r.hi[axis] = std::max(a.hi[axis], b.hi[axis]);
  }
  return r;
}

/// `box` widened by `halo` voxels on both sides of each axis.
constexpr Box grow(const Box& box, Int3 halo) {
  Box r = box;
  for (int axis = 0; axis < 3; ++axis) {
    r.lo[axis] -= halo[axis];
    r.hi[axis] += halo[axis];
  }
  return r;
}
constexpr Box grow(const Box& box, int halo) { return grow(box, Int3{halo, halo, halo}); }

/// "160x192x224", axes x, y, z, the order of files and messages.
inline std::string size_in_words(const Int3& size) {
  return std::to_string(size[2]) + "x" + std::to_string(size[1]) + "x" + std::to_string(size[0]);
}

/// "[0,64)x[0,64)x[0,32)", axes z, y, x.
inline std::string to_string(const Box& box) {
  std::string s;
  for (int axis = 0; axis < 3; ++axis)
    s += (axis ? "x[" : "[") + std::to_string(box.lo[axis]) + "," + std::to_string(box.hi[axis]) +
         ")";
  return s;
}

}  // namespace ffdp
