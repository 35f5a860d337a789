// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/deformable/deformable.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "ffdp/core/copy.hpp"
#include "ffdp/dist/ordered_sum.hpp"
#include "ffdp/dist/window.hpp"
#include "ffdp/ops/jacobian/jacobian.hpp"
#include "ffdp/ops/resize/resize.hpp"
#include "ffdp/registration/deformable/level.hpp"
#include "ffdp/registration/deformable/slab_planes.hpp"
#include "ffdp/registration/deformable/smoothing.hpp"
#include "ffdp/registration/images/pyramid.hpp"

namespace ffdp::registration {
namespace {

/// Iterations between two reports, which wait for the device.
constexpr int report_every = 5;

/// Slope of the line through the last ten costs, relative to their mean size, per iteration; -1 if
/// there are fewer.
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

/// Where a run starts: at the beginning, or in the middle of a level.
const Standing* resumed(const Watch& watch) {
  const Standing* standing = watch.checkpoint ? watch.checkpoint->standing() : nullptr;
  return standing && standing->deformable && standing->pass == watch.before.pass ? standing
                                                                                 : nullptr;
}

/// Saves a run in the middle of a level.
template <class T>
void save(Context& ctx, dist::Comm& comm, const Watch& watch, int index, const LevelTrace& trace,
          GreedyLevel<T>& level) {
  Standing standing = watch.before;
  standing.deformable = true;
  standing.level = index;
  standing.levels = *watch.levels;
  standing.levels.push_back(trace);
  level.describe(standing);
  std::vector<OwnPlanes> fields = level.fields();
  fields.insert(fields.end(), watch.fields_before.begin(), watch.fields_before.end());
  watch.checkpoint->save(ctx, comm, standing, fields);
}

using Clock = std::chrono::steady_clock;

/// When a level reports its progress.
struct Telling {
  Clock::time_point begun;
  bool often;  ///< every few iterations, not only at the end
};

/// Runs the iterations of one level that `trace` does not have yet, and records them. It never
/// stops early: costs jitter when a level has little left to gain. A stop by their slope would come
/// five or fifteen iterations earlier for other last bits, which moves the warp.
template <class T>
VectorField<float> run_level(Context& ctx, dist::Comm& comm, GreedyLevel<T>& level,
                             const DeformableStage& stage, int index, const Telling& telling,
                             const Watch& watch, LevelTrace& trace) {
  const int iterations = stage.iterations[index];
  const auto report = [&] {
    const std::vector<double> costs = level.costs();
    for (std::size_t k = trace.costs.size(); k < costs.size(); ++k) {
      trace.costs.push_back(costs[k]);
      if (watch.progress)
        watch.progress({"deformable", index, static_cast<int>(stage.shrink.size()),
                        static_cast<int>(k) + 1, iterations, costs[k], relative_slope(trace.costs),
                        telling.begun});
    }
  };
  for (int done = static_cast<int>(trace.costs.size()); done < iterations;) {
    level.iterate();
    ++done;
    const bool due = watch.checkpoint && watch.checkpoint->due(comm);
    if (due || done == iterations || (telling.often && done % report_every == 0)) report();
    if (due) save(ctx, comm, watch, index, trace, level);
  }
  return level.take();
}

/// u on another grid of the same extent, over what this rank owns of it.
VectorField<float> resized(Context& ctx, dist::Comm& comm, const dist::Cut& from,
                           const VectorField<float>& u, const dist::Cut& to) {
  const Box own = to.own(comm);
  VectorField<float> result(ctx.backend, own);
  const dist::VectorWindow window(ctx, comm, from, u,
                                  resize::interpolate_reach({from.domain(), to.domain()}, own));
  resize::displacement(ctx, {}, {from.domain(), to.domain()}, own, window.view(), result);
  return result;
}

VectorField<float> zeros(Context& ctx, const Box& box) {
  VectorField<float> field(ctx.backend, box);
  zero_bytes(ctx, field.data(), (field.end() - field.begin()) * sizeof(float));
  return field;
}

/// change_of of u, with which a level of the box `level` starts.
double start_change(Context& ctx, dist::Comm& comm, const dist::Cut& cut,
                    const VectorField<float>& u, const Box& level, const Gentle& gentle) {
  const Box domain = cut.domain(), own = cut.own(comm);
  const dist::VectorWindow window(ctx, comm, cut, u,
                                  intersect(grow(own, jacobian::halo()), domain));
  const double finer =
      std::cbrt(static_cast<double>(level.volume()) / static_cast<double>(domain.volume()));
  return change_of(
      dist::ordered_sum(comm, cut, jacobian::statistics(ctx, domain, own, window.view(), {})),
      finer, gentle);
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
                                  const DeformableMemory& memory, StartWarp start,
                                  const Watch& watch) {
  const Grid& full = pairs.front().fixed.grid;
  const int levels = static_cast<int>(stage.shrink.size());
  VectorField<float> u = std::move(start.u);
  dist::Cut from(comm, start.domain);
  // If rank 0 reports costs, all ranks must take part in adding them.
  int reports = watch.progress ? 1 : 0;
  comm.broadcast(&reports, sizeof(reports), 0);
  const Standing* standing = resumed(watch);
  for (int index = standing ? standing->level : 0; index < levels; ++index) {
    const auto begin = Clock::now();
    const Grid grid = grid_at(stage, static_cast<std::size_t>(index), full);
    const DeformableStage widest = at_level(stage, index, grid.size);
    const Int3 around{Halo(widest).warped, 0, 0};
    const dist::Cut cut(comm, grid.domain());
    const Box own = cut.own(comm);
    MovingLimit moving = memory.moving;
    moving.motion = most_step(stage) * stage.iterations[index];
    std::vector<LevelPair> level_pairs;
    level_pairs.reserve(pairs.size());
    for (const Pair& pair : pairs)
      level_pairs.emplace_back(ctx, comm, pair, grid,
                               stage.shrink[index] * finest_spacing(pair.fixed.grid), affine,
                               intersect(grow(own, around), grid.domain()), moving);
    ctx.release_scratch();
    const bool goes_on = standing && index == standing->level;
    LevelTrace record;
    record.grid = grid;
    if (goes_on)
      record = standing->levels.back();
    else if (!u.empty() && widest.gentle != Gentle{})
      record.change = start_change(ctx, comm, from, u, grid.domain(), widest.gentle);
    const DeformableStage here = after_start(widest, record.change);
    record.sigma_update = here.sigma_update;
    record.sigma_warp = here.sigma_warp;
    u = u.empty() ? zeros(ctx, own) : resized(ctx, comm, from, u, cut);
    from = cut;
    const int planes = slab_planes(
        here, own, slab_budget(memory.mode, ctx.backend, own.volume(), grid.domain().volume()));
    const auto run = [&]<class T>() {
      GreedyLevel<T> level(ctx, comm, here, cut, level_pairs, std::move(u), planes,
                           stage.iterations[index]);
      if (goes_on) {
        for (const OwnPlanes& field : level.fields()) watch.checkpoint->load(ctx, field);
        level.resume(*standing);
      }
      return run_level(ctx, comm, level, stage, index, {begin, reports != 0}, watch, record);
    };
    u = memory.mode == MemoryMode::compact ? run.template operator()<Half>()
                                           : run.template operator()<float>();
    record.seconds += std::chrono::duration<double>(Clock::now() - begin).count();
    if (watch.levels) watch.levels->push_back(std::move(record));
  }
  const dist::Cut finest(comm, full.domain());
  return from == finest ? std::move(u) : resized(ctx, comm, from, u, finest);
}

}  // namespace ffdp::registration
