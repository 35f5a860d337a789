// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/linear/linear.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include <Eigen/Dense>

#include "ffdp/core/error.hpp"
#include "ffdp/dist/ordered_sum.hpp"
#include "ffdp/ops/intensity/intensity.hpp"
#include "ffdp/ops/sampler/sampler.hpp"

namespace ffdp::registration {
namespace {

double dot(const Affine& a, const Affine& b) {
  double sum = 0;
  for (int i = 0; i < 3; ++i) {
    sum += a.translation[i] * b.translation[i];
    for (int j = 0; j < 3; ++j) sum += a.linear[i][j] * b.linear[i][j];
  }
  return sum;
}

/// Root mean square of a coordinate over the extent, about its centre [mm].
double extent_radius(const Grid& grid) {
  double sum = 0;
  const Vec3 spacing = grid.spacing_zyx();
  for (int a = 0; a < 3; ++a)
    if (grid.size[a] > 1) sum += std::pow(grid.size[a] * spacing[a], 2);
  return std::sqrt(sum / (12 * grid.dimension()));
}

/// Largest distance between the images of the corners of the extent [mm].
double corner_motion(const Grid& grid, const Affine& a, const Affine& b) {
  double largest = 0;
  const Affine world = grid.to_world();
  for (int corner = 0; corner < 8; ++corner) {
    const Vec3 p =
        world({(corner & 4) ? grid.size[0] - 0.5 : -0.5, (corner & 2) ? grid.size[1] - 0.5 : -0.5,
               (corner & 1) ? grid.size[2] - 0.5 : -0.5});
    const Vec3 x = a(p), y = b(p);
    largest = std::max(largest, std::hypot(x[0] - y[0], x[1] - y[1], x[2] - y[2]));
  }
  return largest;
}

/// The cost of stretching: twice the square of the logarithm of the stretch beyond `free`, along
/// each principal axis [1]. Without it, mutual information may move the whole fixed image into one
/// corner of the moving one, where a few grey values predict each other well.
double stretch_cost(const Affine& map, double free) {
  Eigen::Matrix3d m;
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) m(i, j) = map.linear[i][j];
  const Eigen::SelfAdjointEigenSolver<Eigen::Matrix3d> squares(m.transpose() * m,
                                                               Eigen::EigenvaluesOnly);
  double sum = 0;
  for (const double square : squares.eigenvalues())
    sum += 2 * std::pow(std::max(0.0, std::abs(0.5 * std::log(std::max(square, 1e-12))) - free), 2);
  return sum;
}

/// The maps theta -> start o parametric_map(theta), with the derivative of a cost.
struct Family {
  Freedom freedom;
  int dimension;
  Vec3 centre;
  double radius;
  Affine start;
  double free_stretch;  ///< as LinearProblem::free_stretch

  Affine delta(const std::vector<double>& theta) const {
    return parametric_map(freedom.kind, dimension, theta, centre, radius);
  }
  Affine map(const std::vector<double>& theta) const { return start * delta(theta); }

  /// Gradient of cost and stretch_cost. The maps are smooth functions of the parameters, so a
  /// central difference of them is exact to 1e-9.
  Eigen::VectorXd gradient(const std::vector<double>& theta, const Affine& cost_gradient) const {
    const Affine inner = pull_back(start, cost_gradient, Affine{});
    Eigen::VectorXd g(theta.size());
    constexpr double h = 1e-4;
    for (std::size_t k = 0; k < theta.size(); ++k) {
      auto up = theta, down = theta;
      up[k] += h;
      down[k] -= h;
      const Affine above = delta(up), below = delta(down);
      g[static_cast<Eigen::Index>(k)] = (dot(inner, above) + stretch_cost(above, free_stretch) -
                                         (dot(inner, below) + stretch_cost(below, free_stretch))) /
                                        (2 * h);
      if (k < freedom.restriction.size()) g[static_cast<Eigen::Index>(k)] *= freedom.restriction[k];
    }
    return g;
  }
};

std::vector<double> to_std(const Eigen::VectorXd& v) { return {v.data(), v.data() + v.size()}; }

/// Parameters of a family, with their cost.
struct Point {
  Eigen::VectorXd theta;
  double cost = 0;
  Eigen::VectorXd gradient;  ///< empty where the cost is infinite
};

Point point_at(LinearProblem& problem, const Family& family, Eigen::VectorXd theta) {
  const std::vector<double> parameters = to_std(theta);
  Affine map_gradient;
  const Affine delta = family.delta(parameters);
  Point p{
      std::move(theta),
      problem.cost(family.start * delta, &map_gradient) + stretch_cost(delta, family.free_stretch),
      {}};
  if (std::isfinite(p.cost)) p.gradient = family.gradient(parameters, map_gradient);
  return p;
}

/// Rounds a step to two binary digits: its largest component is two, three or four units. Rounding
/// removes differences in the last bits, except in the rare case that a component lies exactly
/// between two values. If minima are close together, such a difference would grow from step to step
/// until two searches end in different minima. The next gradient makes up for the lost digits.
Eigen::VectorXd rounded(const Eigen::VectorXd& step) {
  int exponent = 0;
  std::frexp(step.lpNorm<Eigen::Infinity>(), &exponent);
  const double unit = std::ldexp(1.0, exponent - 2);
  return (step / unit).array().round() * unit;
}

/// The first point from + step * direction, for smaller and smaller steps, that meets the Armijo
/// condition or the approximate Wolfe condition (Hager and Zhang 2005, doi:10.1137/030601880): a
/// smaller slope and a cost that is hardly larger. The second condition is needed because the cost
/// jumps where a sample leaves the view or a window of LNCC loses its contrast. Near the minimum
/// the jumps are larger than the gain of a step, so that the Armijo condition alone would stop the
/// search at a point that depends on the last bits. The gradient does not have these jumps.
std::optional<Point> line_search(LinearProblem& problem, const Family& family, const Point& from,
                                 const Eigen::VectorXd& direction, double step) {
  constexpr int trials = 8;
  constexpr double armijo = 1e-4, flatter = 0.9, larger = 1e-3;
  if (!(direction.dot(from.gradient) < 0)) return std::nullopt;
  for (int trial = 0; trial < trials; ++trial) {
    const Eigen::VectorXd move = rounded(step * direction);
    const double slope = move.dot(from.gradient);
    Point next = point_at(problem, family, from.theta + move);
    double shorten = 0.4;
    if (std::isfinite(next.cost)) {
      const double next_slope = move.dot(next.gradient);
      const bool less = next.cost <= from.cost + armijo * slope;
      const bool same = next.cost <= from.cost + larger * std::abs(from.cost);
      if (less || (same && std::abs(next_slope) <= flatter * -slope)) return next;
      // The minimum was passed; the secant estimates where it is.
      if (slope < 0 && next_slope > 0) shorten = std::clamp(slope / (slope - next_slope), 0.1, 0.6);
    }
    step *= shorten;
  }
  return std::nullopt;
}

/// BFGS with a cautious update: small curvature along the step is noise and would make the next
/// step huge, so it is ignored.
class InverseHessian {
 public:
  /// Restarts; the first step has this length.
  void reset(const Eigen::VectorXd& gradient, double length) {
    const auto n = gradient.size();
    matrix_ = Eigen::MatrixXd::Identity(n, n) * (length / gradient.norm());
    fresh_ = true;
  }
  void update(const Point& from, const Point& to) {
    const Eigen::VectorXd s = to.theta - from.theta, y = to.gradient - from.gradient;
    const double sy = s.dot(y);
    if (!(sy > 0.01 * s.norm() * y.norm())) return;
    const Eigen::MatrixXd identity = Eigen::MatrixXd::Identity(s.size(), s.size());
    if (fresh_) matrix_ = identity * (sy / y.squaredNorm());
    const Eigen::MatrixXd left = identity - s * y.transpose() / sy;
    matrix_ = left * matrix_ * left.transpose() + s * s.transpose() / sy;
    fresh_ = false;
  }
  bool fresh() const { return fresh_; }
  Eigen::VectorXd direction(const Eigen::VectorXd& gradient) const { return -matrix_ * gradient; }

 private:
  Eigen::MatrixXd matrix_;
  bool fresh_ = true;
};

/// One Newton step on the gradient, near the minimum. Interpolation, and windows with just enough
/// contrast, make the gradient fluctuate, so that it has several zeros within 0.01 voxel. Its mean
/// and Jacobian over a tenth of a voxel hardly depend on these fluctuations.
Affine newton_step(LinearProblem& problem, LinearKind kind, const Affine& start) {
  const Grid& grid = problem.fixed_grid();
  const double voxel = finest_spacing(grid);
  const Family family{kind,  grid.dimension(),      grid.centre(), extent_radius(grid),
                      start, problem.free_stretch()};
  const int n = parameters(kind, grid.dimension());
  const double reach = 0.1 * voxel;
  Eigen::MatrixXd jacobian(n, n);
  Eigen::VectorXd gradient = Eigen::VectorXd::Zero(n);
  for (int k = 0; k < n; ++k) {
    const Eigen::VectorXd offset = reach * Eigen::VectorXd::Unit(n, k);
    const Point up = point_at(problem, family, offset), down = point_at(problem, family, -offset);
    if (!std::isfinite(up.cost) || !std::isfinite(down.cost)) return start;
    jacobian.col(k) = (up.gradient - down.gradient) / (2 * reach);
    gradient += (up.gradient + down.gradient) / (2 * n);
  }
  const Eigen::VectorXd step = -jacobian.fullPivLu().solve(gradient);
  // A long step means that the minimum is not near.
  return step.norm() < 0.5 * voxel ? family.map(to_std(step)) : start;
}

}  // namespace

Affine minimize(LinearProblem& problem, const Freedom& freedom, const Affine& start, int iterations,
                double tolerance, const std::function<void(int, double, double)>& progress,
                double* final_cost) {
  const Grid& grid = problem.fixed_grid();
  const double voxel = finest_spacing(grid);
  const Family family{freedom, grid.dimension(),      grid.centre(), extent_radius(grid),
                      start,   problem.free_stretch()};
  Point at =
      point_at(problem, family, Eigen::VectorXd::Zero(parameters(freedom.kind, grid.dimension())));
  InverseHessian inverse_hessian;
  bool restart = true;
  int settled = 0;
  for (int iteration = 1; iteration <= iterations && std::isfinite(at.cost); ++iteration) {
    if (at.gradient.norm() < 1e-12) break;
    if (restart) inverse_hessian.reset(at.gradient, voxel);
    const Eigen::VectorXd direction = inverse_hessian.direction(at.gradient);
    const double motion = corner_motion(grid, family.map(to_std(at.theta)),
                                        family.map(to_std(at.theta + direction))) /
                          voxel;
    // No corner moves more than 4 voxels in one step.
    auto next = line_search(problem, family, at, direction, std::min(1.0, 4 / motion));
    if (!next && restart) break;
    restart = !next;  // once more along the gradient itself
    if (!next) continue;
    inverse_hessian.update(at, *next);
    restart = inverse_hessian.fresh();
    at = *std::move(next);
    if (progress) progress(iteration, at.cost, motion);
    settled = motion < tolerance ? settled + 1 : 0;
    if (settled == 2) break;
  }
  if (final_cost) *final_cost = at.cost;
  return family.map(to_std(at.theta));
}

namespace {

/// Whether a map is clearly better than another one. Only voxels that both see count, because a
/// turn that hides background from a metric looks better than it is.
bool clearly_better(LinearProblem problem, const MetricConfig& metric, const Affine& map,
                    const Affine& than) {
  problem.keep_overlap(std::array{map, than});
  const double other = problem.cost(than, nullptr);
  return problem.cost(map, nullptr) < other - clear_gain * room_below(metric, other);
}

/// The cost of a stage at one resolution.
LinearProblem problem_of(Context& ctx, dist::Comm& comm, const LinearStage& stage,
                         const std::vector<Pair>& pairs, double spacing) {
  LinearProblem problem(ctx, comm, pairs[stage.metric.image_pair], stage.metric, spacing);
  for (const MetricConfig& metric : stage.further)
    problem.add({ctx, comm, pairs[metric.image_pair], metric, spacing});
  return problem;
}

}  // namespace

Affine run_linear(Context& ctx, dist::Comm& comm, const LinearStage& stage,
                  const std::vector<Pair>& pairs, const Affine& start, double most_turn,
                  const ProgressSink& progress, std::vector<LinearTrace>& traces) {
  Affine map = start;
  const Pair& pair = pairs[stage.metric.image_pair];
  const int levels = static_cast<int>(stage.resolutions.size());
  const char* const names[] = {"translation", "rigid", "similarity", "affine"};
  const char* const name = names[static_cast<int>(stage.kind)];
  const Freedom freedom{stage.kind, stage.restriction};
  for (int level = 0; level < levels; ++level) {
    const auto begun = std::chrono::steady_clock::now();
    const double spacing = masked_spacing(
        ctx, comm, pair,
        linear_spacing(pair.fixed.grid, stage.resolutions[level], stage.most_voxels));
    LinearProblem problem = problem_of(ctx, comm, stage, pairs, spacing);
    const int iterations = stage.iterations[level];
    const Affine before = map;
    double cost = 0;
    const auto search = [&](const Freedom& over, double* found) {
      LinearTrace trace{name, level, {}};
      const auto report = [&](int iteration, double now, double motion) {
        trace.costs.push_back(now);
        if (progress) progress({name, level, levels, iteration, iterations, now, motion, begun});
      };
      const Affine result =
          minimize(problem, over, before, iterations, stage.tolerance, report, found);
      if (!trace.costs.empty()) traces.push_back(std::move(trace));
      return result;
    };
    map = search(freedom, &cost);
    require(std::isfinite(cost),
            std::string(name) +
                ": the images do not overlap inside their masks at the start of the stage");
    const bool free = stage.restriction.empty();
    const double turned = turn_between(map, before);
    if (free && turned > 2 * needs_reason &&
        (turned > most_turn ||
         !clearly_better(problem_of(ctx, comm, stage, pairs, spacing), stage.metric, map, before)))
      map = search(LinearKind::translation, nullptr);
    if (free && level == levels - 1 && iterations > 0) map = newton_step(problem, stage.kind, map);
  }
  return map;
}

}  // namespace ffdp::registration
