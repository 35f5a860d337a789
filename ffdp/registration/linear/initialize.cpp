// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/linear/initialize.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include <Eigen/Dense>

#include "ffdp/core/error.hpp"
#include "ffdp/ops/intensity/intensity.hpp"
#include "ffdp/registration/images/pyramid.hpp"

namespace ffdp::registration {
namespace {

using Eigen::Matrix3d;
using Eigen::Vector3d;

Vector3d to_eigen(const Vec3& v) { return {v[0], v[1], v[2]}; }

/// Centre [mm] and covariance [mm^2] of an image above its lowest robust intensity.
struct Mass {
  Vector3d centre = Vector3d::Zero();
  Matrix3d covariance = Matrix3d::Identity();
};

Mass mass_of(Context& ctx, const Image<float>& image, float lo, float hi) {
  const auto m = intensity::moments(ctx, image.grid.domain(), {lo, hi}, image.data);
  require(m.mass > 0, "initialization: an image holds no mass above its darkest intensity");
  const Affine world = image.grid.to_world();
  Matrix3d linear, second;
  Vec3 index{};
  for (int i = 0; i < 3; ++i) {
    index[i] = m.first[i] / m.mass;
    for (int j = 0; j < 3; ++j) {
      linear(i, j) = world.linear[i][j];
      second(i, j) = m.second[i][j] / m.mass;
    }
  }
  const Vector3d centre = to_eigen(index);
  return {to_eigen(world(index)),
          linear * (second - centre * centre.transpose()) * linear.transpose()};
}

/// p -> rotation (p - from) + to.
Affine about(const Matrix3d& rotation, const Vector3d& from, const Vector3d& to) {
  Affine a;
  const Vector3d t = to - rotation * from;
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) a.linear[i][j] = rotation(i, j);
    a.translation[i] = t[i];
  }
  return a;
}

/// Rotations that take the principal axes of fixed to those of moving: four proper sign choices.
std::vector<Matrix3d> principal_rotations(const Mass& fixed, const Mass& moving) {
  const Eigen::SelfAdjointEigenSolver<Matrix3d> f(fixed.covariance), m(moving.covariance);
  std::vector<Matrix3d> rotations;
  for (int signs = 0; signs < 8; ++signs) {
    const Vector3d flip((signs & 1) ? -1 : 1, (signs & 2) ? -1 : 1, (signs & 4) ? -1 : 1);
    const Matrix3d r = m.eigenvectors() * flip.asDiagonal() * f.eigenvectors().transpose();
    if (r.determinant() > 0) rotations.push_back(r);
  }
  return rotations;
}

struct Candidate {
  Affine map;
  double cost = 0;
};

void score(LinearProblem& problem, std::vector<Candidate>& candidates) {
  for (auto& c : candidates) c.cost = problem.evaluate(c.map, nullptr);
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.cost < b.cost; });
}

Matrix3d euler(double x, double y, double z) {
  return (Eigen::AngleAxisd(z, Vector3d::UnitZ()) * Eigen::AngleAxisd(y, Vector3d::UnitY()) *
          Eigen::AngleAxisd(x, Vector3d::UnitX()))
      .toRotationMatrix();
}

}  // namespace

Affine initialize(Context& ctx, dist::Comm& comm, Initialization kind, LinearKind most,
                  const Pair& pair, const ProgressSink& progress) {
  if (kind == Initialization::identity) return {};
  const Grid &fixed_grid = pair.fixed.grid, &moving_grid = pair.moving.grid;
  const Matrix3d unturned = Matrix3d::Identity();
  const Affine geometric =
      about(unturned, to_eigen(fixed_grid.centre()), to_eigen(moving_grid.centre()));
  if (kind == Initialization::geometric_centre) return geometric;
  if (kind == Initialization::origin)
    return about(unturned, to_eigen(fixed_grid.origin), to_eigen(moving_grid.origin));

  // About 25 voxels across: coarse enough to be smooth, fine enough to tell left from right.
  double extent = 0;
  for (int a = 0; a < 3; ++a)
    extent = std::max(extent, fixed_grid.size[a] * fixed_grid.spacing_zyx()[a]);
  const MetricConfig metric{.kind = MetricKind::mi};
  LinearProblem problem(ctx, comm, pair, metric, extent / 28);
  const IntensityModel f = intensity_model(ctx, "fixed", problem.fixed().data, {});
  const IntensityModel m = intensity_model(ctx, "moving", problem.moving().data, {});
  const Mass fixed = mass_of(ctx, problem.fixed(), f.lo, f.hi);
  const Mass moving = mass_of(ctx, problem.moving(), m.lo, m.hi);
  const Affine mass_centre = about(unturned, fixed.centre, moving.centre);
  if (kind == Initialization::centre_of_mass) return mass_centre;

  std::vector<Candidate> principal;
  if (fixed_grid.dimension() == 3)
    for (const Matrix3d& r : principal_rotations(fixed, moving))
      principal.push_back({about(r, fixed.centre, moving.centre)});
  else
    principal.push_back({mass_centre});
  if (kind == Initialization::moments) {
    score(problem, principal);
    return principal.front().map;
  }

  std::vector<Candidate> candidates = principal;
  candidates.push_back({Affine{}});
  candidates.push_back({geometric});
  candidates.push_back({mass_centre});
  const double turn = 25 * std::numbers::pi / 180;
  const bool flat = fixed_grid.dimension() == 2;
  for (int k = flat ? 0 : -1; k <= (flat ? 0 : 1); ++k)
    for (int j = flat ? 0 : -1; j <= (flat ? 0 : 1); ++j)
      for (int i = flat ? -7 : -1; i <= (flat ? 7 : 1); ++i)
        if (i || j || k)
          candidates.push_back(
              {about(euler(k * turn, j * turn, i * turn), fixed.centre, moving.centre)});
  score(problem, candidates);

  // The best by cost alone can sit in a side basin: refine several, rigid then with scale.
  const std::size_t kept = std::min<std::size_t>(8, candidates.size());
  candidates.resize(kept);
  for (std::size_t i = 0; i < kept; ++i) {
    auto& c = candidates[i];
    c.map = minimize(problem, LinearKind::rigid, c.map, 25, 0.05, nullptr, &c.cost);
    if (most > LinearKind::rigid)
      c.map = minimize(problem, LinearKind::similarity, c.map, 15, 0.05, nullptr, &c.cost);
    if (progress)
      progress(
          {"initialization", 0, 1, static_cast<int>(i) + 1, static_cast<int>(kept), c.cost, 0});
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.cost < b.cost; });
  for (std::size_t i = 0; most == LinearKind::affine && i < std::min<std::size_t>(3, kept); ++i)
    candidates[i].map = minimize(problem, LinearKind::affine, candidates[i].map, 25, 0.05, nullptr,
                                 &candidates[i].cost);
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.cost < b.cost; });
  return candidates.front().map;
}

}  // namespace ffdp::registration
