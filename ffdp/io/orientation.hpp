// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/io/nifti.hpp"

namespace ffdp::io {

/// A rotation as NIfTI's qform stores it: quaternion (b, c, d) and the sign of the third column.
struct Quaternion {
  double b = 0, c = 0, d = 0;
  double qfac = 1;
};

/// Rotation matrix with the third column multiplied by qfac.
Mat3 rotation_of(const Quaternion& q);
/// The inverse of rotation_of for an orthonormal matrix.
Quaternion quaternion_of(const Mat3& orthonormal);
/// Whether m m^T is the identity to 1e-4 in every element, which is ITK's condition.
bool is_orthonormal(const Mat3& m);

/// Sets info.grid, grid_source and warnings from codes, transforms (RAS) and the voxel spacing, by
/// the rules of ITK 5.4 (table in README.md): without a code, the identity at the origin; with one
/// code, that transform; with both, the sform if it is orthonormal and its code is 1 (scanner) or
/// it equals the qform, else the qform. The spacing is always pixdim. Throws IoError if there is
/// only a sheared sform.
void place_grid(NiftiInfo& info, const Vec3& spacing);

}  // namespace ffdp::io
