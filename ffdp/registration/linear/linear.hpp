// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ffdp/dist/window.hpp"
#include "ffdp/ops/sampler/sampler.hpp"
#include "ffdp/registration/images/pair.hpp"
#include "ffdp/registration/images/pyramid.hpp"
#include "ffdp/registration/linear/maps.hpp"
#include "ffdp/registration/metrics/metric.hpp"
#include "ffdp/registration/progress.hpp"

namespace ffdp::registration {

/// A pair at one resolution, with the cost of an affine map and its gradient. All calls are
/// collective.
class LinearProblem {
 public:
  /// @param spacing  wanted spacing of the level [mm]
  LinearProblem(Context& ctx, dist::Comm& comm, const Pair& pair, const MetricConfig& metric,
                double spacing);

  /// Adds the cost of another problem; each has the weight of its metric.
  void add(LinearProblem&& other) { further_.push_back(std::move(other)); }

  /// Cost of `map`, fixed to moving (LPS mm), and, if `gradient` is not null, d(cost)/d(map) as a
  /// 3x4 matrix in an Affine. The cost is infinite if the images hardly overlap.
  double cost(const Affine& map, Affine* gradient);

  /// How many fixed voxels lie inside the moving image under `map` [voxels].
  std::int64_t seen(const Affine& map) { return fixed_grid().domain().volume() - warp(map); }

  /// From now on, only those fixed voxels count that lie inside the moving image under all of
  /// `maps`, so that the costs of these maps can be compared.
  void keep_overlap(std::span<const Affine> maps);

  /// How far a stage may stretch for nothing, as a logarithm.
  double free_stretch() const { return registration::free_stretch(metric_.config); }

  const Grid& fixed_grid() const { return fixed_.image.grid; }
  /// Stored over what this rank owns; masks are empty where there is none.
  const MaskedImage& fixed() const { return fixed_; }
  const MaskedImage& moving() const { return moving_; }

 private:
  double own_cost(const Affine& map, Affine* gradient);
  void reach_moving(const sampler::Params& p);
  /// Resamples moving; returns how many fixed voxels have no sample [voxels].
  std::int64_t warp(const Affine& map);
  sampler::Params sampling(const Affine& map) const;

  Context& ctx_;
  dist::Comm& comm_;
  Metric metric_;
  MaskedImage fixed_, moving_;
  dist::Cut cut_;  ///< of the fixed image
  Box warped_box_;
  dist::Window fixed_window_;  ///< over warped_box_, as the mask
  dist::MaskWindow fixed_mask_;
  dist::Window moving_window_;  ///< what the maps so far reached, and some more
  dist::MaskWindow moving_mask_;
  std::vector<Box> reached_;  ///< the boxes of these windows, of all ranks
  Field<float> warped_, grad_;
  double least_samples_ = 0;
  std::vector<LinearProblem> further_;
};

/// The maps that a search is allowed to reach.
struct Freedom {
  LinearKind kind;
  std::vector<double> restriction;  ///< as in LinearStage
  Freedom(LinearKind all) : kind(all) {}
  Freedom(LinearKind some, std::vector<double> shares)
      : kind(some), restriction(std::move(shares)) {}
};

/// Minimises the cost over the maps of `freedom` from `start` at one resolution; BFGS with the
/// exact gradient. It ends at a zero of the gradient, which does not depend on the last bits of the
/// cost.
/// @return the map reached, LPS mm
Affine minimize(LinearProblem& problem, const Freedom& freedom, const Affine& start, int iterations,
                double tolerance, const std::function<void(int, double, double)>& progress,
                double* cost);

/// Runs a linear stage over its levels, with one Newton step at the end. If a level turns by more
/// than 10 degrees without a clearly better cost, it only shifts instead: round objects fit
/// themselves in many orientations.
/// @param pairs   image pairs; metrics name them by index
/// @param traces  gets the costs of every search
Affine run_linear(Context& ctx, dist::Comm& comm, const LinearStage& stage,
                  const std::vector<Pair>& pairs, const Affine& start, double most_turn,
                  const ProgressSink& progress, std::vector<LinearTrace>& traces);

}  // namespace ffdp::registration
