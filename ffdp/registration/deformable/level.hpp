// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "ffdp/ops/descent/descent.hpp"
#include "ffdp/ops/sampler/sampler.hpp"
#include "ffdp/registration/deformable/slab.hpp"
#include "ffdp/registration/images/pair.hpp"
#include "ffdp/registration/metrics/metric.hpp"

namespace ffdp::registration {

/// One image pair at one level, with its metrics' constants.
struct LevelPair {
  View<const float> fixed;
  ImageView moving;
  std::shared_ptr<const Image<float>> own_fixed, own_moving;  // null where the level is the image
  std::shared_ptr<const Image<std::uint8_t>> fixed_mask, moving_mask;  // or null
  IntensityModel fixed_model, moving_model;
  sampler::Params sampling;
};

/// The pair on the grid of a level; moving is shrunk by as much as fixed.
LevelPair make_level_pair(Context& ctx, const Pair& pair, const Grid& grid, double spacing,
                          const Affine& affine);

/// Memory an iteration may use for slabs of planes at a level of `voxels` [bytes].
std::int64_t slab_budget(MemoryMode mode, Backend backend, std::int64_t voxels);
/// Bytes of the planes that an iteration needs beside what Level keeps, for `planes` of them.
std::int64_t slab_bytes(const DeformableStage& stage, const Box& domain, int planes);
/// Planes a slab may have such that slab_bytes is at most `bytes`; at least a few.
int slab_planes(const DeformableStage& stage, const Box& domain, std::int64_t bytes);

/// The greedy iteration of one level (DESIGN.md 2 and 3): a warp u, its moments, and slabs of
/// planes through which warped image, metric gradient and smoothed update pass. Nothing in an
/// iteration allocates or, with one rank, waits for the device, but in the first, which reads the
/// size of the gradient.
/// @tparam T  storage of the moments: float, or Half
template <class T>
class Level {
 public:
  /// @param stage       outlives the level
  /// @param u           [3,z,y,x] to start from, over grid.domain() [voxels]
  /// @param planes      planes a slab advances by
  /// @param iterations  most calls of iterate()
  Level(Context& ctx, dist::Comm& comm, const DeformableStage& stage, const Grid& grid,
        std::vector<LevelPair> pairs, VectorField<float> u, int planes, int iterations);

  void iterate();
  /// Costs of the iterations so far, each that before its step; waits for them.
  std::vector<double> costs();
  VectorField<float> take() { return std::move(u_); }

 private:
  /// What a metric keeps during a level. Its sums of all iterations stay on the backend until
  /// costs() reads them.
  struct Metric {
    const MetricConfig* config;
    const LevelPair* pair;
    int reach = 0;     ///< planes of the warped image that a gradient needs around it
    float factor = 1;  ///< of the gradient: N times that of a mean over the voxels inside
    Slab warped;
    Buffer<std::int64_t> counts;
    Buffer<float> derivative;
  };

  void start_metric(Metric& metric, int planes);
  Box slab_from(int z) const;
  void measure_information(Metric& metric, int index);
  void warp(Metric& metric, int keep_from, int hi);
  void add_gradient(Metric& metric, int index, const Box& planes, sampler::Into into);
  void update_moments();
  void take_step();
  void hold_faces();
  void choose_epsilon();
  smooth::Params smoothing(double sigma) const;
  MetricSum* sums(int iteration, int index) {
    return sums_.data() + static_cast<std::size_t>(iteration) * metrics_.size() + index;
  }

  Context& ctx_;
  dist::Comm& comm_;
  const DeformableStage& stage_;
  Box domain_;
  std::vector<LevelPair> pairs_;
  std::vector<Metric> metrics_;
  int planes_, iteration_ = 0;
  adam::Params adam_;
  VectorField<float> u_;
  VectorField<T> first_;
  Buffer<T> second_;
  descent::Moments<T> moments_;
  Slab vectors_;              ///< gradient, then composed warp
  Field<float> grad_warped_;  ///< of the planes in work
  Buffer<MetricSum> sums_;    ///< [iterations, metrics]
  Buffer<descent::Sums> size_;
};

}  // namespace ffdp::registration
