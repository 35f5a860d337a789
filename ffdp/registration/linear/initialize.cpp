// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/linear/initialize.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

#include <Eigen/Dense>

#include "ffdp/core/error.hpp"
#include "ffdp/dist/ordered_sum.hpp"
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

Mass mass_of(Context& ctx, dist::Comm& comm, const char* name, const MaskedImage& in) {
  const View<const std::uint8_t> mask = in.mask.data;
  const IntensityModel model = intensity_model(ctx, comm, name, in.image, mask);
  const Grid& grid = in.image.grid;
  const dist::Cut cut(comm, grid.domain());
  const auto m = dist::ordered_sum(
      comm, cut, intensity::moments(ctx, cut.own(comm), {model.lo, model.hi}, in.image.data, mask));
  require(m.mass > 0, "initialization: an image holds no mass above its darkest intensity");
  const Affine world = grid.to_world();
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

/// Rotations that map the principal axes of the fixed image to those of the moving one: the four
/// choices of signs that are rotations.
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

void sort(std::vector<Candidate>& candidates) {
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.cost < b.cost; });
}

void score(LinearProblem& problem, std::vector<Candidate>& candidates) {
  for (auto& c : candidates) c.cost = problem.cost(c.map, nullptr);
  sort(candidates);
}

Matrix3d euler(double x, double y, double z) {
  return (Eigen::AngleAxisd(z, Vector3d::UnitZ()) * Eigen::AngleAxisd(y, Vector3d::UnitY()) *
          Eigen::AngleAxisd(x, Vector3d::UnitX()))
      .toRotationMatrix();
}

/// Turns by 25 degrees about each axis that take one point to the other; in the plane all of them.
void add_turns(const Vector3d& from, const Vector3d& to, bool flat,
               std::vector<Candidate>& candidates) {
  const double turn = 25 * std::numbers::pi / 180;
  for (int k = flat ? 0 : -1; k <= (flat ? 0 : 1); ++k)
    for (int j = flat ? 0 : -1; j <= (flat ? 0 : 1); ++j)
      for (int i = flat ? -7 : -1; i <= (flat ? 7 : 1); ++i)
        if (i || j || k)
          candidates.push_back({about(euler(k * turn, j * turn, i * turn), from, to)});
}

/// Pairs of points, fixed and moving, that may correspond: the centres of mass of both images. If
/// only one image has a mask, two more: the centre of mass of that image with the point at the same
/// place in the other image, once by the headers, once after the shift of `geometric`.
std::vector<std::pair<Vector3d, Vector3d>> common_points(const Pair& pair, const Mass& fixed,
                                                         const Mass& moving,
                                                         const Affine& geometric) {
  std::vector<std::pair<Vector3d, Vector3d>> points{{fixed.centre, moving.centre}};
  if ((pair.fixed_mask == nullptr) == (pair.moving_mask == nullptr)) return points;
  const Vector3d shift = to_eigen(geometric.translation);
  for (const Vector3d& s : {Vector3d(Vector3d::Zero()), shift})
    points.push_back(pair.fixed_mask ? std::pair(fixed.centre, Vector3d(fixed.centre + s))
                                     : std::pair(Vector3d(moving.centre - s), moving.centre));
  return points;
}

/// Refines the candidates (rigid, then with scale, the best also by an affine) and sorts them.
void refine(LinearProblem& problem, LinearKind most, std::vector<Candidate>& candidates,
            const ProgressSink& progress) {
  const auto begun = std::chrono::steady_clock::now();
  const int count = static_cast<int>(candidates.size());
  for (int i = 0; i < count; ++i) {
    auto& c = candidates[i];
    c.map = minimize(problem, LinearKind::rigid, c.map, 25, 0.05, nullptr, &c.cost);
    if (most > LinearKind::rigid)
      c.map = minimize(problem, LinearKind::similarity, c.map, 15, 0.05, nullptr, &c.cost);
    if (progress) progress({"initialization", 0, 1, i + 1, count, c.cost, 0, begun});
  }
  sort(candidates);
  for (int i = 0; most == LinearKind::affine && i < std::min(3, count); ++i)
    candidates[i].map = minimize(problem, LinearKind::affine, candidates[i].map, 25, 0.05, nullptr,
                                 &candidates[i].cost);
  sort(candidates);
}

/// Finds the best shift of each candidate and sorts them.
void shift(LinearProblem& problem, std::vector<Candidate>& candidates) {
  for (auto& c : candidates)
    c.map = minimize(problem, LinearKind::translation, c.map, 25, 0.05, nullptr, &c.cost);
  sort(candidates);
}

/// Whether a candidate is about as good as another one in a quite different orientation.
bool rivals(const Candidate& a, const Candidate& best, double share) {
  return turn_between(a.map, best.map) > far_turn &&
         a.cost <= best.cost + share * std::abs(best.cost);
}

/// Takes a turn only if it is clearly better than no turn. The orientation in the headers is
/// evidence: round or symmetric objects fit themselves in many orientations, and chance decides
/// which fits best. No far turn is taken if several orientations fit about equally well, or if it
/// sees less than half of what the others see: few grey values predict each other well. Costs are
/// compared at twice the resolution of the search, where small differences show, and over voxels
/// that all maps see, because a turn that hides background looks better than it is.
/// @param found     all candidates, refined and sorted
/// @param straight  candidates that do not turn
Affine unless_needless(LinearProblem& problem, LinearProblem finer, LinearKind most,
                       const std::vector<Candidate>& found, std::vector<Candidate> straight) {
  const Candidate& best = found.front();
  shift(problem, straight);
  if (!std::isfinite(straight.front().cost)) return best.map;
  // In ascending order of turning.
  std::array<std::vector<Candidate>, 3> choices{{{straight[0]}, {straight[0]}, {best}}};
  refine(problem, most, choices[1], {});
  shift(finer, choices[0]);
  refine(finer, most, choices[1], {});
  refine(finer, most, choices[2], {});
  const bool hides = 2 * finer.seen(choices[2][0].map) < finer.seen(choices[0][0].map);
  finer.keep_overlap(std::array{choices[0][0].map, choices[1][0].map, choices[2][0].map});
  for (auto& choice : choices) score(finer, choice);
  constexpr double share = 0.1;  // the search is coarse, and each candidate sees other voxels
  const bool evident = !hides && !rivals(choices[1][0], choices[2][0], clear_gain) &&
                       std::none_of(found.begin(), found.end(), [&](const Candidate& other) {
                         return rivals(other, best, share);
                       });
  const auto allowed = [&](const Candidate& c) {
    return evident || turn_between(c.map, Affine{}) <= far_turn;
  };
  double least = std::numeric_limits<double>::infinity();
  for (const auto& choice : choices)
    if (allowed(choice[0])) least = std::min(least, choice[0].cost);
  for (const auto& choice : choices)
    if (allowed(choice[0]) && choice[0].cost <= least + clear_gain * std::abs(least))
      return turn_between(choice[0].map, best.map) < needs_reason ? best.map : choice[0].map;
  return best.map;
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
  const double spacing = std::max(masked_spacing(ctx, comm, pair, extent / 28), extent / 112);
  const MetricConfig metric{.kind = MetricKind::mi};
  LinearProblem problem(ctx, comm, pair, metric, spacing);
  const Mass fixed = mass_of(ctx, comm, "fixed", problem.fixed());
  const Mass moving = mass_of(ctx, comm, "moving", problem.moving());
  const Affine mass_centre = about(unturned, fixed.centre, moving.centre);
  if (kind == Initialization::centre_of_mass) return mass_centre;

  const bool flat = fixed_grid.dimension() == 2;
  std::vector<Candidate> candidates;
  if (flat)
    candidates.push_back({mass_centre});
  else
    for (const Matrix3d& r : principal_rotations(fixed, moving))
      candidates.push_back({about(r, fixed.centre, moving.centre)});
  if (kind == Initialization::moments) {
    score(problem, candidates);
    return candidates.front().map;
  }
  std::vector<Candidate> straight{{Affine{}}, {geometric}, {mass_centre}};
  if (most == LinearKind::translation) {
    shift(problem, straight);
    return straight.front().map;
  }
  candidates.insert(candidates.end(), straight.begin(), straight.end());
  for (const auto& [from, to] : common_points(pair, fixed, moving, geometric))
    add_turns(from, to, flat, candidates);
  score(problem, candidates);
  require(std::isfinite(candidates.front().cost),
          "initialization: no start makes the images overlap inside their masks");

  // The best one by cost may be in the basin of a local minimum, so several are refined.
  candidates.resize(std::min<std::size_t>(8, candidates.size()));
  refine(problem, most, candidates, progress);
  const Affine& best = candidates.front().map;
  if (turn_between(best, Affine{}) < needs_reason) return best;
  return unless_needless(problem, LinearProblem(ctx, comm, pair, metric, spacing / 2), most,
                         candidates, straight);
}

}  // namespace ffdp::registration
