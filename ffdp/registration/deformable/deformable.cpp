// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/deformable/deformable.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "ffdp/core/copy.hpp"
#include "ffdp/ops/resize/resize.hpp"
#include "ffdp/registration/deformable/level.hpp"
#include "ffdp/registration/images/pyramid.hpp"

namespace ffdp::registration {
namespace {

/// Iterations between two reports, which wait for the device.
constexpr int report_every = 5;

/// Slope of the line through the last ten costs, relative to their mean size, per iteration; -1
/// while there are fewer.
double relative_slope(const std::vector<double>& costs) {
  constexpr int n = 10;
  if (costs.size() < n) return -1;
  double mean_cost = 0, size = 0;
  for (int i = 0; i < n; ++i) {
    mean_cost += costs[costs.size() - n + i] / n;
    size += std::abs(costs[costs.size() - n + i]) / n;
  }
  double xy = 0, xx = 0;
  for (int i = 0; i < n; ++i) {
    const double x = i - 0.5 * (n - 1);
    xy += x * (costs[costs.size() - n + i] - mean_cost);
    xx += x * x;
  }
  return size > 0 ? xy / xx / size : 0;
}

/// Runs the iterations of one level and records it. All of them: the costs jitter where a level has
/// little left to gain, and a stop by their slope falls five or fifteen iterations earlier for
/// other last bits, which moves the warp.
template <class T>
VectorField<float> run_level(Context& ctx, dist::Comm& comm, const DeformableStage& stage,
                             const Grid& grid, std::vector<LevelPair> pairs, VectorField<float> u,
                             int index, int planes, const ProgressSink& progress,
                             LevelTrace& trace) {
  const int iterations = stage.iterations[index];
  Level<T> level(ctx, comm, stage, grid, std::move(pairs), std::move(u), planes, iterations);
  const int stride = progress ? report_every : std::max(iterations, 1);
  for (int done = 0; done < iterations;) {
    const int until = std::min(done + stride, iterations);
    for (; done < until; ++done) level.iterate();
    const std::vector<double> costs = level.costs();
    for (int k = static_cast<int>(trace.costs.size()); k < done; ++k) {
      trace.costs.push_back(costs[k]);
      if (progress)
        progress({"deformable", index, static_cast<int>(stage.shrink.size()), k + 1, iterations,
                  costs[k], relative_slope(trace.costs)});
    }
  }
  return level.take();
}

}  // namespace

std::vector<int> automatic_shrink(const Grid& grid) {
  const double finest = finest_spacing(grid);
  double largest = 0;
  for (int a = 0; a < 3; ++a)
    largest = std::max(largest, grid.size[a] * grid.spacing_zyx()[a] / finest);
  std::vector<int> shrink{1};
  while (largest / shrink.front() > 64) shrink.insert(shrink.begin(), 2 * shrink.front());
  return shrink;
}

VectorField<float> run_deformable(Context& ctx, dist::Comm& comm, const DeformableStage& stage,
                                  const std::vector<Pair>& pairs, const Affine& affine,
                                  MemoryMode memory, VectorField<float> u,
                                  const ProgressSink& progress, std::vector<LevelTrace>* trace) {
  const Grid& full = pairs.front().fixed.grid;
  const int levels = static_cast<int>(stage.shrink.size());
  for (int index = 0; index < levels; ++index) {
    const auto start = std::chrono::steady_clock::now();
    const double spacing = stage.shrink[index] * finest_spacing(full);
    const Grid grid = level_grid(full, spacing, 8);
    std::vector<LevelPair> level_pairs;
    level_pairs.reserve(pairs.size());
    for (const Pair& pair : pairs)
      level_pairs.push_back(make_level_pair(
          ctx, pair, grid, stage.shrink[index] * finest_spacing(pair.fixed.grid), affine));
    ctx.release_scratch();
    VectorField<float> finer(ctx.backend, grid.domain());
    if (u.empty())
      zero_bytes(ctx, finer.data(), (finer.end() - finer.begin()) * sizeof(float));
    else
      resize::displacement(ctx, {}, u.stored(), grid.domain(), grid.domain(), u, finer);
    u = VectorField<float>();
    const bool compact = memory == MemoryMode::compact;
    const int planes =
        slab_planes(stage, grid.domain(), slab_budget(memory, ctx.backend, grid.domain().volume()));
    LevelTrace record{grid, {}, 0};
    u = compact ? run_level<Half>(ctx, comm, stage, grid, std::move(level_pairs), std::move(finer),
                                  index, planes, progress, record)
                : run_level<float>(ctx, comm, stage, grid, std::move(level_pairs), std::move(finer),
                                   index, planes, progress, record);
    record.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (trace) trace->push_back(std::move(record));
  }
  if (u.stored() != full.domain()) {
    VectorField<float> finest(ctx.backend, full.domain());
    resize::displacement(ctx, {}, u.stored(), full.domain(), full.domain(), u, finest);
    u = std::move(finest);
  }
  return u;
}

}  // namespace ffdp::registration
