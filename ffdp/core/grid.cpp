// SPDX-License-Identifier: Apache-2.0
#include "ffdp/core/grid.hpp"

#include <cmath>

namespace ffdp {

Affine Grid::to_world() const {
  Affine a;
  for (int row = 0; row < 3; ++row)
    for (int axis = 0; axis < 3; ++axis)
      a.linear[row][axis] = direction[row][2 - axis] * spacing[2 - axis];
  a.translation = origin;
  return a;
}

Affine Grid::to_index() const { return inverse(to_world()); }

Vec3 Grid::centre() const {
  return to_world()({0.5 * (size[0] - 1), 0.5 * (size[1] - 1), 0.5 * (size[2] - 1)});
}

Grid with_size(const Grid& grid, Int3 size) {
  Grid r = grid;
  r.size = size;
  Vec3 first;  // index, in the old grid, of the first voxel centre of the new one
  for (int axis = 0; axis < 3; ++axis) {
    const double ratio = static_cast<double>(grid.size[axis]) / size[axis];
    r.spacing[2 - axis] = grid.spacing[2 - axis] * ratio;
    first[axis] = 0.5 * ratio - 0.5;
  }
  r.origin = grid.to_world()(first);
  return r;
}

bool same_space(const Grid& a, const Grid& b, double tolerance) {
  if (a.size != b.size) return false;
  const Affine map = b.to_index() * a.to_world();
  for (int corner = 0; corner < 8; ++corner) {
    const Vec3 p{(corner & 4) ? a.size[0] - 1.0 : 0.0, (corner & 2) ? a.size[1] - 1.0 : 0.0,
                 (corner & 1) ? a.size[2] - 1.0 : 0.0};
    const Vec3 q = map(p);
    for (int axis = 0; axis < 3; ++axis)
      if (!(std::abs(q[axis] - p[axis]) <= tolerance)) return false;
  }
  return true;
}

}  // namespace ffdp
