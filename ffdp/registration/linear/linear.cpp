// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/linear/linear.hpp"

#include <algorithm>
#include <array>
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

Mat3 transpose(const Mat3& m) {
  Mat3 r;
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) r[i][j] = m[j][i];
  return r;
}

/// Gradient w.r.t. b of a function of a o b o c, from its gradient w.r.t. the product.
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

/// What a search pays for stretching: nothing up to a quarter more or less along any axis, then the
/// square of the logarithm [1]. Mutual information alone may want the whole fixed image in one
/// corner of the moving one: a few grey values say much about each other.
double stretch_cost(const Affine& map) {
  Eigen::Matrix3d m;
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) m(i, j) = map.linear[i][j];
  const Eigen::SelfAdjointEigenSolver<Eigen::Matrix3d> squares(m.transpose() * m,
                                                               Eigen::EigenvaluesOnly);
  double sum = 0;
  for (const double square : squares.eigenvalues()) {
    const double stretch = std::abs(0.5 * std::log(std::max(square, 1e-12)));
    sum += std::pow(std::max(0.0, stretch - std::log(1.25)), 2);
  }
  return sum;
}

/// The maps theta -> start o parametric_map(theta), with the derivative of a cost.
struct Family {
  LinearKind kind;
  int dimension;
  Vec3 centre;
  double radius;
  Affine start;

  Affine delta(const std::vector<double>& theta) const {
    return parametric_map(kind, dimension, theta, centre, radius);
  }
  Affine map(const std::vector<double>& theta) const { return start * delta(theta); }

  /// Of cost and stretch. The maps are smooth closed forms: a central difference of them is exact
  /// to 1e-9.
  Eigen::VectorXd gradient(const std::vector<double>& theta, const Affine& cost_gradient) const {
    const Affine inner = pull_back(start, cost_gradient, Affine{});
    Eigen::VectorXd g(theta.size());
    constexpr double h = 1e-4;
    for (std::size_t k = 0; k < theta.size(); ++k) {
      auto up = theta, down = theta;
      up[k] += h;
      down[k] -= h;
      const Affine above = delta(up), below = delta(down);
      g[static_cast<Eigen::Index>(k)] =
          (dot(inner, above) + stretch_cost(above) - (dot(inner, below) + stretch_cost(below))) /
          (2 * h);
    }
    return g;
  }
};

std::vector<double> to_std(const Eigen::VectorXd& v) { return {v.data(), v.data() + v.size()}; }

/// Parameters of a family and what they cost.
struct Point {
  Eigen::VectorXd theta;
  double cost = 0;
  Eigen::VectorXd gradient;  ///< empty where the cost is infinite
};

Point evaluate(LinearProblem& problem, const Family& family, Eigen::VectorXd theta) {
  const std::vector<double> parameters = to_std(theta);
  Affine map_gradient;
  const Affine delta = family.delta(parameters);
  Point p{std::move(theta),
          problem.evaluate(family.start * delta, &map_gradient) + stretch_cost(delta),
          {}};
  if (std::isfinite(p.cost)) p.gradient = family.gradient(parameters, map_gradient);
  return p;
}

/// A step to two binary digits: the largest component is two, three or four units. Where minima lie
/// close to each other, a difference in the last bits of a gradient grows from step to step until
/// two searches part. A coarse step drops it; the next gradient makes up for the lost digits.
Eigen::VectorXd rounded(const Eigen::VectorXd& step) {
  int exponent = 0;
  std::frexp(step.lpNorm<Eigen::Infinity>(), &exponent);
  const double unit = std::ldexp(1.0, exponent - 2);
  return (step / unit).array().round() * unit;
}

/// The first point from + step * direction, for smaller and smaller steps, with the Armijo
/// condition or the approximate Wolfe condition (Hager and Zhang 2005, doi:10.1137/030601880): the
/// slope is smaller and the cost hardly larger. The cost jumps where a sample leaves the view or a
/// window of LNCC loses its contrast; near the minimum the jumps are larger than what a step gains,
/// and where they stop a search depends on the last bits. The gradient leaves the jumps out.
std::optional<Point> line_search(LinearProblem& problem, const Family& family, const Point& from,
                                 const Eigen::VectorXd& direction, double step) {
  constexpr int trials = 8;
  constexpr double armijo = 1e-4, flatter = 0.9, larger = 1e-3;
  if (!(direction.dot(from.gradient) < 0)) return std::nullopt;
  for (int trial = 0; trial < trials; ++trial) {
    const Eigen::VectorXd move = rounded(step * direction);
    const double slope = move.dot(from.gradient);
    Point next = evaluate(problem, family, from.theta + move);
    double shorten = 0.4;
    if (std::isfinite(next.cost)) {
      const double next_slope = move.dot(next.gradient);
      const bool less = next.cost <= from.cost + armijo * slope;
      const bool same = next.cost <= from.cost + larger * std::abs(from.cost);
      if (less || (same && std::abs(next_slope) <= flatter * -slope)) return next;
      // Beyond the minimum: the secant says where.
      if (slope < 0 && next_slope > 0) shorten = std::clamp(slope / (slope - next_slope), 0.1, 0.6);
    }
    step *= shorten;
  }
  return std::nullopt;
}

/// BFGS, with a cautious update: little curvature along the step is noise, and would make the next
/// step huge.
class InverseHessian {
 public:
  /// Starts anew: the first step is of this length.
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

/// One Newton step on the gradient, near the minimum. Interpolation and windows at the edge of
/// contrast make the gradient wiggle, so that it has several zeros within 0.01 voxel. Mean and
/// Jacobian over a tenth of a voxel hardly know of that.
Affine newton_step(LinearProblem& problem, LinearKind kind, const Affine& start) {
  const Grid& grid = problem.fixed_grid();
  const double voxel = finest_spacing(grid);
  const Family family{kind, grid.dimension(), grid.centre(), extent_radius(grid), start};
  const int n = parameters(kind, grid.dimension());
  const double reach = 0.1 * voxel;
  Eigen::MatrixXd jacobian(n, n);
  Eigen::VectorXd gradient = Eigen::VectorXd::Zero(n);
  for (int k = 0; k < n; ++k) {
    const Eigen::VectorXd offset = reach * Eigen::VectorXd::Unit(n, k);
    const Point up = evaluate(problem, family, offset), down = evaluate(problem, family, -offset);
    if (!std::isfinite(up.cost) || !std::isfinite(down.cost)) return start;
    jacobian.col(k) = (up.gradient - down.gradient) / (2 * reach);
    gradient += (up.gradient + down.gradient) / (2 * n);
  }
  const Eigen::VectorXd step = -jacobian.fullPivLu().solve(gradient);
  // A long step means that the minimum is not near.
  return step.norm() < 0.5 * voxel ? family.map(to_std(step)) : start;
}

}  // namespace

LinearProblem::LinearProblem(Context& ctx, dist::Comm& comm, const Pair& pair,
                             const MetricConfig& metric, double spacing)
    : ctx_(ctx), comm_(comm), metric_{metric, {}, {}} {
  const auto shrink = [&](const ImageRef& image, const Image<std::uint8_t>* mask) {
    const Grid level = level_grid(image.grid, spacing, 8);
    return mask ? shrink_to(ctx, comm, image, *mask, level)
                : MaskedImage{shrink_to(ctx, comm, image, level), {}};
  };
  fixed_ = shrink(pair.fixed, pair.fixed_mask);
  moving_ = shrink(pair.moving, pair.moving_mask);
  metric_.fixed = intensity_model(ctx, comm, "fixed", fixed_.image, fixed_.mask.data);
  metric_.moving = intensity_model(ctx, comm, "moving", moving_.image, moving_.mask.data);
  const Box domain = fixed_.image.grid.domain();
  cut_ = dist::Cut(comm, domain);
  const Box own = cut_.own(comm);
  warped_box_ = intersect(grow(own, metric_reach(metric)), domain);
  fixed_window_ = dist::Window(ctx, comm, fixed_.image, warped_box_);
  if (pair.fixed_mask) fixed_mask_ = dist::MaskWindow(ctx, comm, &fixed_.mask, warped_box_);
  warped_ = Field<float>(ctx.backend, warped_box_);
  grad_ = Field<float>(ctx.backend, own);
  std::int64_t inside = domain.volume();
  if (pair.fixed_mask)
    inside = dist::sum_count(comm, cut_, intensity::count(ctx, own, fixed_.mask.data));
  least_samples_ = 0.05 * static_cast<double>(inside);
}

/// Fetches the moving image anew where this map takes any rank beyond what it has. Every rank knows
/// what the others have and need, so nothing is sent to find that out.
void LinearProblem::reach_moving(const sampler::Params& p) {
  const Box domain = fixed_.image.grid.domain();
  const Vec3 still{};
  std::vector<Box> needed;
  bool enough = !reached_.empty();
  for (int r = 0; r < comm_.size(); ++r) {
    const Box box = intersect(grow(cut_.own(r), metric_reach(metric_.config)), domain);
    needed.push_back(sampler::reach(p, box, still, still));
    enough = enough && reached_[static_cast<std::size_t>(r)].contains(needed.back());
  }
  if (enough) return;
  constexpr int margin = 4;  // most maps that a search tries are near [voxels]
  for (Box& box : needed) box = intersect(grow(box, margin), p.moving_domain);
  reached_ = std::move(needed);
  const Box& box = reached_[static_cast<std::size_t>(comm_.rank())];
  moving_window_ = dist::Window(ctx_, comm_, moving_.image, box);
  if (moving_.mask.data.view()) moving_mask_ = dist::MaskWindow(ctx_, comm_, &moving_.mask, box);
}

sampler::Params LinearProblem::sampling(const Affine& map) const {
  sampler::Params p;
  p.map = moving_.image.grid.to_index() * map * fixed_.image.grid.to_world();
  p.displacement_map = p.map.linear;
  p.moving_domain = moving_.image.grid.domain();
  return p;
}

std::int64_t LinearProblem::warp(const Affine& map) {
  const Box domain = fixed_.image.grid.domain(), own = cut_.own(comm_);
  const sampler::Params p = sampling(map);
  reach_moving(p);
  const ImageView moving = moving_window_.view();
  const VectorView<const float> none;
  const sampler::Masks masks{fixed_mask_.view(), moving_mask_.view()};
  for (const Box& rim : dist::rims(warped_box_, own))
    sampler::forward_uncounted(ctx_, p, domain, rim, moving, none, masks, warped_);
  return dist::sum_count(comm_, cut_,
                         sampler::forward(ctx_, p, domain, own, moving, none, masks, warped_));
}

void LinearProblem::keep_overlap(std::span<const Affine> maps) {
  const Box own = cut_.own(comm_);
  if (fixed_.mask.data.empty()) {
    fixed_.mask = {fixed_.image.grid, Field<std::uint8_t>(ctx_.backend, own)};
    intensity::store_mask(ctx_, own, -std::numeric_limits<float>::infinity(), fixed_.image.data,
                          fixed_.mask.data);
  }
  for (const Affine& map : maps) {
    warp(map);
    intensity::drop_missing(ctx_, own, warped_, fixed_.mask.data);
  }
  fixed_mask_ = dist::MaskWindow(ctx_, comm_, &fixed_.mask, warped_box_);
}

double LinearProblem::evaluate(const Affine& map, Affine* gradient) {
  const Box domain = fixed_.image.grid.domain();
  const std::int64_t outside = warp(map);
  if (static_cast<double>(domain.volume() - outside) < std::max(least_samples_, 16.0))
    return std::numeric_limits<double>::infinity();
  const Cost cost =
      registration::evaluate(ctx_, comm_, metric_, cut_, fixed_window_.view().as<float>(), warped_,
                             gradient ? grad_.view() : View<float>{});
  if (!gradient) return cost.value;
  const auto sums = dist::ordered_sum(
      comm_, cut_,
      sampler::backward_affine(ctx_, sampling(map), domain, cut_.own(comm_), moving_window_.view(),
                               VectorView<const float>{}, grad_));
  Affine index_gradient;
  const double scale = cost.grad_factor / cost.samples;
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) index_gradient.linear[i][j] = scale * sums.map[i][j];
    index_gradient.translation[i] = scale * sums.translation[i];
  }
  *gradient =
      pull_back(moving_.image.grid.to_index(), index_gradient, fixed_.image.grid.to_world());
  return cost.value;
}

Affine minimize(LinearProblem& problem, LinearKind kind, const Affine& start, int iterations,
                double tolerance, const std::function<void(int, double, double)>& progress,
                double* final_cost) {
  const Grid& grid = problem.fixed_grid();
  const double voxel = finest_spacing(grid);
  const Family family{kind, grid.dimension(), grid.centre(), extent_radius(grid), start};
  Point at = evaluate(problem, family, Eigen::VectorXd::Zero(parameters(kind, grid.dimension())));
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

/// Whether a map is clearly better than another one, over the voxels that both see: a turn that
/// hides background from a metric looks better than it is.
bool clearly_better(LinearProblem problem, MetricKind kind, const Affine& map, const Affine& than) {
  problem.keep_overlap(std::array{map, than});
  const double other = problem.evaluate(than, nullptr);
  // LNCC is at best -1.
  const double scale = kind == MetricKind::lncc ? 1 + other : std::abs(other);
  return problem.evaluate(map, nullptr) < other - clear_gain * scale;
}

}  // namespace

Affine run_linear(Context& ctx, dist::Comm& comm, const LinearStage& stage, const Pair& pair,
                  const Affine& start, const ProgressSink& progress) {
  Affine map = start;
  const double finest = finest_spacing(pair.fixed.grid);
  const int levels = static_cast<int>(stage.resolutions.size());
  const char* const names[] = {"translation", "rigid", "similarity", "affine"};
  const char* const name = names[static_cast<int>(stage.kind)];
  for (int level = 0; level < levels; ++level) {
    const double spacing = masked_spacing(ctx, comm, pair, stage.resolutions[level] * finest);
    LinearProblem problem(ctx, comm, pair, stage.metric, spacing);
    const int iterations = stage.iterations[level];
    const Affine before = map;
    double cost = 0;
    const auto report = [&](int iteration, double now, double motion) {
      if (progress) progress({name, level, levels, iteration, iterations, now, motion});
    };
    map = minimize(problem, stage.kind, before, iterations, stage.tolerance, report, &cost);
    require(std::isfinite(cost),
            std::string(name) +
                ": the images do not overlap inside their masks at the start of the stage");
    if (turn_between(map, before) > 2 * needs_reason &&
        !clearly_better({ctx, comm, pair, stage.metric, spacing}, stage.metric.kind, map, before))
      map = minimize(problem, LinearKind::translation, before, iterations, stage.tolerance, report,
                     nullptr);
    if (level == levels - 1 && iterations > 0) map = newton_step(problem, stage.kind, map);
  }
  return map;
}

}  // namespace ffdp::registration
