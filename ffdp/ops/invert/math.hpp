// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>

#include "ffdp/core/view.hpp"
#include "ffdp/ops/common/trilinear.hpp"

namespace ffdp::invert {

/// The box that the solution at a voxel may read: `around` voxels on each side, within the domain.
/// A Newton step may leave the box; beyond it, the edge value holds. The box does not depend on the
/// compute box, so shards and whole have the same bits.
FFDP_HD inline Box neighbourhood(const Box& domain, const Int3& at, int around) {
  Box box;
  for (int a = 0; a < 3; ++a) {
    box.lo[a] = at[a] - around > domain.lo[a] ? at[a] - around : domain.lo[a];
    box.hi[a] = at[a] + around < domain.hi[a] ? at[a] + around + 1 : domain.hi[a];
  }
  return box;
}

/// u and its Jacobian at voxel + offset.
struct Sample {
  float u[3];
  float jacobian[3][3];  ///< d u_c / d axis
};

FFDP_HD inline Sample sample(const VectorView<const float>& u, const Box& domain,
                             const int (&at)[3], const float (&offset)[3]) {
  AxisCell cell[3];
  for (int a = 0; a < 3; ++a)
    cell[a] = axis_cell(offset[a], domain.lo[a] - at[a], domain.hi[a] - at[a]);
  const std::int64_t base =
      u[0].offset(at[0] + cell[0].lower, at[1] + cell[1].lower, at[2] + cell[2].lower);
  const std::int64_t dz = domain.size(0) > 1 ? u.stride_z : 0;
  const std::int64_t dy = domain.size(1) > 1 ? u.stride_y : 0;
  const std::int64_t dx = domain.size(2) > 1 ? 1 : 0;
  Sample s;
  for (int c = 0; c < 3; ++c) {
    const float* d = u.data + c * u.stride_c + base;
    const float v[8] = {d[0],  d[dx],      d[dy],      d[dy + dx],
                        d[dz], d[dz + dx], d[dz + dy], d[dz + dy + dx]};
    s.u[c] = trilinear(v, cell[0].fraction, cell[1].fraction, cell[2].fraction);
    const auto g = trilinear_gradient(v, cell[0].fraction, cell[1].fraction, cell[2].fraction);
    s.jacobian[c][0] = cell[0].clamped ? 0 : g.z;
    s.jacobian[c][1] = cell[1].clamped ? 0 : g.y;
    s.jacobian[c][2] = cell[2].clamped ? 0 : g.x;
  }
  return s;
}

/// Solves (I + jacobian) step = residual; returns false if the matrix is nearly singular or its
/// determinant is negative.
FFDP_HD inline bool newton_step(const float (&jacobian)[3][3], const float (&residual)[3],
                                float (&step)[3]) {
  float m[3][3];
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) m[i][j] = jacobian[i][j] + (i == j ? 1.0F : 0.0F);
  const float c00 = m[1][1] * m[2][2] - m[1][2] * m[2][1];
  const float c01 = m[1][2] * m[2][0] - m[1][0] * m[2][2];
  const float c02 = m[1][0] * m[2][1] - m[1][1] * m[2][0];
  const float det = m[0][0] * c00 + m[0][1] * c01 + m[0][2] * c02;
  if (!(det > 0.02F)) return false;
  const float r = 1 / det;
  step[0] = r * (c00 * residual[0] + (m[0][2] * m[2][1] - m[0][1] * m[2][2]) * residual[1] +
                 (m[0][1] * m[1][2] - m[0][2] * m[1][1]) * residual[2]);
  step[1] = r * (c01 * residual[0] + (m[0][0] * m[2][2] - m[0][2] * m[2][0]) * residual[1] +
                 (m[0][2] * m[1][0] - m[0][0] * m[1][2]) * residual[2]);
  step[2] = r * (c02 * residual[0] + (m[0][1] * m[2][0] - m[0][0] * m[2][1]) * residual[1] +
                 (m[0][0] * m[1][1] - m[0][1] * m[1][0]) * residual[2]);
  return true;
}

/// Inverse at one voxel; returns the residual reached [voxels] and the best v. Makes fixed-point
/// steps while each at least halves the residual, then Newton steps. A step that does not reduce
/// the residual is halved, starting from the best point; after four halvings the other kind of step
/// is tried. (At the domain edge, where u has a kink, the Jacobian may be that of the wrong side.)
FFDP_HD inline float solve(const VectorView<const float>& u, const Box& domain, const int (&at)[3],
                           float tolerance, int max_iterations, float (&best)[3]) {
  float v[3] = {0, 0, 0}, newton[3] = {0, 0, 0}, residual[3] = {0, 0, 0};
  float best_norm = 1e30F, relax = 1;
  bool use_newton = false;
  for (int iteration = 0; iteration <= max_iterations; ++iteration) {
    const Sample s = sample(u, domain, at, v);
    const float r[3] = {v[0] + s.u[0], v[1] + s.u[1], v[2] + s.u[2]};
    const float norm = std::sqrt(r[0] * r[0] + r[1] * r[1] + r[2] * r[2]);
    if (norm < best_norm) {
      use_newton = use_newton || norm > 0.5F * best_norm;
      best_norm = norm;
      relax = 1;
      for (int c = 0; c < 3; ++c) {
        best[c] = v[c];
        residual[c] = r[c];
      }
      if (best_norm <= tolerance) break;
      if (use_newton) use_newton = newton_step(s.jacobian, residual, newton);
    } else if (relax < 0.1F) {
      relax = 1;
      use_newton = !use_newton && newton_step(s.jacobian, residual, newton);
    } else {
      relax *= 0.5F;
    }
    for (int c = 0; c < 3; ++c) v[c] = best[c] - relax * (use_newton ? newton[c] : residual[c]);
  }
  return best_norm;
}

}  // namespace ffdp::invert
