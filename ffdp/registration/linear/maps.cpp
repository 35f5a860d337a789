// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/linear/maps.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include <Eigen/Dense>

#include "ffdp/core/error.hpp"

namespace ffdp::registration {
namespace {

Eigen::Matrix3d rotation(double x, double y, double z) {
  const Eigen::Vector3d w(x, y, z);
  const double angle = w.norm();
  if (angle < 1e-12) {
    Eigen::Matrix3d r = Eigen::Matrix3d::Identity();
    r(0, 1) = -z, r(0, 2) = y, r(1, 0) = z, r(1, 2) = -x, r(2, 0) = -y, r(2, 1) = x;
    return r;
  }
  return Eigen::AngleAxisd(angle, w / angle).toRotationMatrix();
}

Mat3 transpose(const Mat3& m) {
  Mat3 r;
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) r[i][j] = m[j][i];
  return r;
}

}  // namespace

int parameters(LinearKind kind, int dimension) {
  const bool flat = dimension == 2;
  switch (kind) {
    case LinearKind::translation:
      return dimension;
    case LinearKind::rigid:
      return flat ? 3 : 6;
    case LinearKind::similarity:
      return flat ? 4 : 7;
    case LinearKind::affine:
      return flat ? 6 : 12;
  }
  return 0;
}

void require_shares(const LinearStage& stage, int dimension) {
  const int given = static_cast<int>(stage.restriction.size());
  const int wanted = parameters(stage.kind, dimension);
  require(given == 0 || given == wanted, "register: the restriction of a linear stage has " +
                                             std::to_string(given) + " shares, none or " +
                                             std::to_string(wanted) + " are wanted");
}

Affine parametric_map(LinearKind kind, int dimension, const std::vector<double>& theta,
                      const Vec3& centre, double radius) {
  const bool flat = dimension == 2;
  Eigen::Matrix3d m = Eigen::Matrix3d::Identity();
  std::size_t next = 0;
  if (kind == LinearKind::affine) {
    for (int i = 0; i < dimension; ++i)
      for (int j = 0; j < dimension; ++j) m(i, j) += theta[next++] / radius;
  } else if (kind != LinearKind::translation) {
    if (flat) {
      m = rotation(0, 0, theta[0] / radius);
      next = 1;
    } else {
      m = rotation(theta[0] / radius, theta[1] / radius, theta[2] / radius);
      next = 3;
    }
    if (kind == LinearKind::similarity) {
      const double scale = std::exp(theta[next++] / radius);
      m *= scale;
      if (flat) m(2, 2) = 1;
    }
  }
  Affine r;
  const Eigen::Vector3d c(centre[0], centre[1], centre[2]);
  const Eigen::Vector3d t = c - m * c;
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) r.linear[i][j] = m(i, j);
    r.translation[i] = t[i] + (i < dimension ? theta[next + i] : 0);
  }
  return r;
}

/// Angle between the rotations nearest to two maps [degrees].
double turn_between(const Affine& a, const Affine& b) {
  const auto rotation = [](const Affine& map) {
    Eigen::Matrix3d m;
    for (int i = 0; i < 3; ++i)
      for (int j = 0; j < 3; ++j) m(i, j) = map.linear[i][j];
    const Eigen::JacobiSVD<Eigen::Matrix3d> svd(m, Eigen::ComputeFullU | Eigen::ComputeFullV);
    return Eigen::Matrix3d(svd.matrixU() * svd.matrixV().transpose());
  };
  const double cosine = ((rotation(a).transpose() * rotation(b)).trace() - 1) / 2;
  return std::acos(std::clamp(cosine, -1.0, 1.0)) * 180 / std::numbers::pi;
}

Affine pull_back(const Affine& a, const Affine& grad, const Affine& c) {
  Affine outer;  // d/d(b o c)
  outer.linear = transpose(a.linear) * grad.linear;
  for (int i = 0; i < 3; ++i) {
    outer.translation[i] = 0;
    for (int j = 0; j < 3; ++j) outer.translation[i] += a.linear[j][i] * grad.translation[j];
  }
  Affine r;
  r.linear = outer.linear * transpose(c.linear);
  r.translation = outer.translation;
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) r.linear[i][j] += outer.translation[i] * c.translation[j];
  return r;
}

}  // namespace ffdp::registration
