// SPDX-License-Identifier: Apache-2.0
#include "ffdp/io/orientation.hpp"

#include <algorithm>
#include <cmath>

#include "ffdp/core/error.hpp"

namespace ffdp::io {
namespace {

double column_norm(const Mat3& m, int j) {
  return std::sqrt(m[0][j] * m[0][j] + m[1][j] * m[1][j] + m[2][j] * m[2][j]);
}

Mat3 unit_columns(const Mat3& m) {
  Mat3 r = m;
  for (int j = 0; j < 3; ++j) {
    const double norm = column_norm(m, j);
    for (int i = 0; i < 3; ++i) r[i][j] /= norm;
  }
  return r;
}

double largest_difference(const Affine& a, const Affine& b) {
  double most = 0;
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) most = std::max(most, std::abs(a.linear[i][j] - b.linear[i][j]));
    most = std::max(most, std::abs(a.translation[i] - b.translation[i]));
  }
  return most;
}

// Directions of a transform from index to RAS, turned into LPS.
void take(Grid& grid, const Affine& ras) {
  grid.direction = unit_columns(ras.linear);
  grid.origin = ras.translation;
  for (int i = 0; i < 2; ++i) {
    for (double& value : grid.direction[i]) value = -value;
    grid.origin[i] = -grid.origin[i];
  }
}

}  // namespace

Mat3 rotation_of(const Quaternion& q) {
  double a = 1 - (q.b * q.b + q.c * q.c + q.d * q.d), b = q.b, c = q.c, d = q.d;
  if (a < 1e-7) {  // a rotation by 180 degrees, up to rounding
    const double scale = 1 / std::sqrt(b * b + c * c + d * d);
    b *= scale, c *= scale, d *= scale;
    a = 0;
  } else {
    a = std::sqrt(a);
  }
  Mat3 r{{{a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)},
          {2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)},
          {2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - c * c - b * b}}};
  for (auto& row : r) row[2] *= q.qfac;
  return r;
}

Quaternion quaternion_of(const Mat3& orthonormal) {
  Quaternion q;
  Mat3 r = orthonormal;
  if (determinant(r) < 0) {
    q.qfac = -1;
    for (auto& row : r) row[2] = -row[2];
  }
  // The largest of the four squares is the safe one to divide by.
  const double squares[4] = {1 + r[0][0] + r[1][1] + r[2][2], 1 + r[0][0] - r[1][1] - r[2][2],
                             1 - r[0][0] + r[1][1] - r[2][2], 1 - r[0][0] - r[1][1] + r[2][2]};
  const long k = std::max_element(squares, squares + 4) - squares;
  const double h = 0.5 * std::sqrt(std::max(squares[k], 0.0)), f = 0.25 / h;
  double a = h;
  if (k == 0) {
    q.b = f * (r[2][1] - r[1][2]), q.c = f * (r[0][2] - r[2][0]), q.d = f * (r[1][0] - r[0][1]);
  } else if (k == 1) {
    a = f * (r[2][1] - r[1][2]), q.b = h;
    q.c = f * (r[0][1] + r[1][0]), q.d = f * (r[0][2] + r[2][0]);
  } else if (k == 2) {
    a = f * (r[0][2] - r[2][0]), q.c = h;
    q.b = f * (r[0][1] + r[1][0]), q.d = f * (r[1][2] + r[2][1]);
  } else {
    a = f * (r[1][0] - r[0][1]), q.d = h;
    q.b = f * (r[0][2] + r[2][0]), q.c = f * (r[1][2] + r[2][1]);
  }
  if (a < 0) q.b = -q.b, q.c = -q.c, q.d = -q.d;
  return q;
}

bool is_orthonormal(const Mat3& m) {
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) {
      const double dot = m[i][0] * m[j][0] + m[i][1] * m[j][1] + m[i][2] * m[j][2];
      if (!(std::abs(dot - (i == j ? 1 : 0)) <= 1e-4)) return false;
    }
  return true;
}

void place_grid(NiftiInfo& info, const Vec3& spacing) {
  Grid& grid = info.grid;
  grid.spacing = spacing;
  if (info.sform_code <= 0 && info.qform_code <= 0) {
    grid.origin = {};
    grid.direction = Mat3{{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
    info.grid_source = GridSource::spacing_only;
    info.warnings.push_back("neither sform nor qform is set: placed at the origin, axes as LPS");
    return;
  }
  const bool has_sform = info.sform_code > 0, has_qform = info.qform_code > 0;
  const bool straight = has_sform && is_orthonormal(unit_columns(info.sform.linear));
  if (has_sform && !straight && !has_qform)
    throw IoError(info.path +
                  ": the sform is sheared and there is no qform, orthogonal axes are wanted");
  const double difference = has_sform && has_qform ? largest_difference(info.sform, info.qform) : 0;
  const bool use_sform = straight && (!has_qform || info.sform_code == 1 || difference <= 1e-5);
  info.grid_source = use_sform ? GridSource::sform : GridSource::qform;
  take(grid, use_sform ? info.sform : info.qform);

  const std::string used = use_sform ? "; the sform is used" : "; the qform is used";
  if (has_sform && has_qform && !straight)
    info.warnings.push_back("the sform is sheared" + used);
  else if (difference > 1e-3)
    info.warnings.push_back("sform and qform differ by up to " + std::to_string(difference) + used +
                            " (as ITK does)");
  if (use_sform)
    for (int j = 0; j < 3; ++j) {
      const double norm = column_norm(info.sform.linear, j);
      if (grid.size[2 - j] > 1 && std::abs(norm - spacing[j]) > 1e-3 * spacing[j]) {
        info.warnings.push_back("sform says a voxel size of " + std::to_string(norm) +
                                " mm, pixdim " + std::to_string(spacing[j]) +
                                "; pixdim is used (as ITK does)");
        break;
      }
    }
}

}  // namespace ffdp::io
