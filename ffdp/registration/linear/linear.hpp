// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <vector>

#include "ffdp/registration/images/pair.hpp"
#include "ffdp/registration/metrics/metric.hpp"
#include "ffdp/registration/progress.hpp"

namespace ffdp::registration {

/// A pair at one resolution, with the cost of an affine map and its gradient.
class LinearProblem {
 public:
  /// @param spacing  wanted spacing of the level [mm]
  LinearProblem(Context& ctx, dist::Comm& comm, const Pair& pair, const MetricConfig& metric,
                double spacing);

  /// Cost of fixed -> moving `map` (LPS mm) and, where `gradient` is given, d(cost)/d(map) as a 3x4
  /// matrix in an Affine. Infinite where the images hardly overlap.
  double evaluate(const Affine& map, Affine* gradient);

  const Grid& fixed_grid() const { return fixed_.grid; }
  const Image<float>& fixed() const { return fixed_; }
  const Image<float>& moving() const { return moving_; }

 private:
  Context& ctx_;
  dist::Comm& comm_;
  MetricConfig metric_;
  Image<float> fixed_, moving_;
  Image<std::uint8_t> fixed_mask_, moving_mask_;
  IntensityModel fixed_model_, moving_model_;
  Field<float> warped_, grad_;
  double least_samples_ = 0;
};

/// How many parameters a kind of map has.
int parameters(LinearKind kind, int dimension);

/// The map of `kind` with parameters `theta` about `centre`, identity at 0. Every parameter is in
/// mm: the motion it causes at `radius` mm from the centre.
Affine parametric_map(LinearKind kind, int dimension, const std::vector<double>& theta,
                      const Vec3& centre, double radius);

/// Minimises the cost over `kind` from `start` at one resolution; BFGS with the exact gradient.
/// Ends at a zero of the gradient, whatever the last bits of the cost.
/// @return the map reached, LPS mm
Affine minimize(LinearProblem& problem, LinearKind kind, const Affine& start, int iterations,
                double tolerance, const std::function<void(int, double, double)>& progress,
                double* cost);

/// Runs a linear stage over its levels, and one Newton step at the last of them.
Affine run_linear(Context& ctx, dist::Comm& comm, const LinearStage& stage, const Pair& pair,
                  const Affine& start, const ProgressSink& progress);

}  // namespace ffdp::registration
