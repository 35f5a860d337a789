// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <limits>
#include <optional>
#include <vector>

#include "ffdp/dist/fetch.hpp"
#include "ffdp/dist/reduction.hpp"
#include "ffdp/ops/descent/descent.hpp"
#include "ffdp/registration/deformable/checkpoint.hpp"
#include "ffdp/registration/deformable/level_pair.hpp"
#include "ffdp/registration/deformable/slab.hpp"
#include "ffdp/registration/deformable/smoothing.hpp"
#include "ffdp/registration/deformable/warped_rims.hpp"
#include "ffdp/registration/metrics/metric.hpp"

namespace ffdp::registration {

/// How many planes beyond its own a rank needs in an iteration [voxels].
struct Halo {
  int gradient = 0;  ///< of the gradient, before it is smoothed
  int warped = 0;    ///< of the fixed and the warped image
  int moments = 0;   ///< of the moments, from which a rank computes the steps around its part
  int warp = 0;      ///< of u
  explicit Halo(const DeformableStage& stage);
};

/// The longest step of an iteration, in float [voxels].
inline double most_step(const DeformableStage& stage) { return 1.001 * stage.step; }

/// The greedy iteration of one level (docs/algorithm.md): a warp u, its moments, and slabs of
/// planes through which warped image, metric gradient and smoothed update pass.
///
/// With several ranks, an iteration begins with messages: the rims of u, missing parts of the
/// moving images, and the rims of the warped images. The rims travel while the rank samples planes
/// that need none. In the middle, the rims of the moments and the size of the step follow.
///
/// The first iteration waits for the device once, to read the size of the gradient. The later ones
/// allocate nothing and, with one rank, do not wait.
/// @tparam T  storage of the moments: float, or Half
template <class T>
class GreedyLevel {
 public:
  /// @param stage       at_level; outlives the level
  /// @param cut         the level, and what this rank owns of it
  /// @param pairs       with fixed images over at least grow(own, Halo::warped)
  /// @param u           [3,z,y,x] to start from, over at least what this rank owns [voxels]
  /// @param planes      planes per step of a slab
  /// @param iterations  largest number of calls of iterate()
  GreedyLevel(Context& ctx, dist::Comm& comm, const DeformableStage& stage, const dist::Cut& cut,
              std::vector<LevelPair>& pairs, VectorField<float> u, int planes, int iterations);

  void iterate();
  /// Costs of the iterations so far, each before its step. Waits for the device. Collective.
  std::vector<double> costs();
  /// The fields that a checkpoint keeps: u and its moments.
  std::vector<OwnPlanes> fields();
  /// Adds the state that a checkpoint keeps besides the fields.
  void describe(Standing& standing) const;
  /// Resumes from a checkpoint whose fields have been loaded.
  void resume(const Standing& standing);
  /// The warp. No iteration may follow.
  VectorField<float> take();

 private:
  /// What a metric keeps during a level. Its sums of all iterations stay on the backend until
  /// costs() reads them.
  struct Term {
    Metric metric;
    LevelPair* pair;
    int reach = 0;     ///< planes of the warped image that a gradient needs around it
    float factor = 1;  ///< of the gradient, which is N times that of a mean over the voxels inside
    Slab warped;
    WarpedRims rims;
    Buffer<std::int64_t> sums;  ///< of a metric of two passes, and its slope
    dist::Reduction all_sums;
    Buffer<float> slope;
  };

  void widen_warp();
  void start_term(Term& term, int planes);
  /// The planes of one step of a sweep.
  Box slab_from(int z) const {
    Box slab = own_;
    slab.lo[0] = z;
    slab.hi[0] = std::min(z + planes_, own_.hi[0]);
    return slab;
  }
  bool one_slab() const { return planes_ >= own_.size(0); }
  /// The planes of this rank and `planes` more on each side, within the domain.
  Box around(int planes) const { return intersect(grow(own_, Int3{planes, 0, 0}), domain_); }
  WarpedRims::Sample sampling(const Term& term) const;
  void measure(Term& term, int index);
  void warp(Term& term, int keep_from, int hi);
  void add_gradient(Term& term, int index, const Box& planes, sampler::Into into);
  void add_gradients(const Box& planes);
  void fetch_rims();
  void finish_rims() {
    if (coming_) coming_->finish();
    coming_.reset();
  }
  void update_moments();
  void share_moments();
  void take_step();
  void hold_faces();
  void choose_epsilon();
  double done() const;
  MetricSum* sums(int iteration, int index) {
    return sums_.data() + static_cast<std::size_t>(iteration) * terms_.size() + index;
  }

  Context& ctx_;
  dist::Comm& comm_;
  const DeformableStage& stage_;
  dist::Cut cut_;
  Box domain_, own_;
  Halo halo_;
  std::vector<Term> terms_;
  std::vector<LevelPair>& pairs_;
  int planes_, iterations_, iteration_ = 0;
  double change_ = std::numeric_limits<double>::infinity();  ///< of u by the last step [voxels]
  descent::Params adam_;
  std::optional<Mat3> restriction_;  ///< of the gradient, z, y, x
  VectorField<float> u_;             ///< over around(halo_.warp)
  VectorField<T> first_;             ///< over around(halo_.moments), as the second moments
  Buffer<T> second_;
  descent::Moments<T> moments_;
  Slab vectors_;              ///< gradient, then composed warp
  Slab smoothed_;             ///< gradient, where a spline smooths it
  Field<float> grad_warped_;  ///< of the planes in work
  Buffer<MetricSum> sums_;    ///< [iterations, metrics], and one that nobody reads
  Buffer<descent::Sums> size_;
  std::optional<dist::Fetch> warp_rims_, moment_rims_;
  std::optional<dist::Fetch::Transfer> coming_;  ///< rims of u
  dist::Reduction all_sizes_;
};

}  // namespace ffdp::registration
