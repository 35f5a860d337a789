// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/affine.hpp"
#include "ffdp/core/box.hpp"

namespace ffdp {

/// Where the voxels of an image lie in the world, as in ITK: LPS millimetres, voxel centres on
/// integer indices. Spacing, origin and the columns of direction are in file order x, y, z; sizes
/// and voxel indices are z, y, x as everywhere.
struct Grid {
  Int3 size{1, 1, 1};                                 ///< [voxels], z, y, x
  Vec3 spacing{1, 1, 1};                              ///< [mm], x, y, z
  Vec3 origin{};                                      ///< centre of voxel 0 [mm], LPS
  Mat3 direction{{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};  ///< column i: direction of index axis x, y, z

  Box domain() const { return box_of(size); }
  /// 2 for an image of one slice, else 3.
  int dimension() const { return size[0] == 1 ? 2 : 3; }
  /// Continuous index (z, y, x) to world point (LPS mm).
  Affine to_world() const;
  /// World point (LPS mm) to continuous index (z, y, x).
  Affine to_index() const;
  /// World point of the centre of the extent [mm].
  Vec3 centre() const;
  /// Spacing in the order z, y, x [mm].
  Vec3 spacing_zyx() const { return {spacing[2], spacing[1], spacing[0]}; }
  friend bool operator==(const Grid&, const Grid&) = default;
};

/// Grid of the same extent (outer faces coincide) with another number of voxels.
Grid with_size(const Grid& grid, Int3 size);

/// Whether both grids put the same voxels at the same places, to `tolerance` voxels.
bool same_space(const Grid& a, const Grid& b, double tolerance);

}  // namespace ffdp
