// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <span>
#include <vector>

#include "ffdp/core/parallel.hpp"
#include "ffdp/dist/window.hpp"
#include "ffdp/evaluation/common.hpp"
#include "ffdp/evaluation/distance_transform.hpp"
#include "ffdp/evaluation/scores.hpp"

namespace ffdp::evaluation {
namespace {

using Labels = View<const std::int32_t>;
using LabelWindow = dist::FieldWindow<std::int32_t>;

/// The box of a label, and the number of its voxels.
struct Region {
  std::int64_t fixed = 0, warped = 0, both = 0;
  Box box{{std::numeric_limits<int>::max(), std::numeric_limits<int>::max(),
           std::numeric_limits<int>::max()},
          {std::numeric_limits<int>::min(), std::numeric_limits<int>::min(),
           std::numeric_limits<int>::min()}};

  Region& operator+=(const Region& other) {
    fixed += other.fixed;
    warped += other.warped;
    both += other.both;
    for (int axis = 0; axis < 3; ++axis) {
      box.lo[axis] = std::min(box.lo[axis], other.box.lo[axis]);
      box.hi[axis] = std::max(box.hi[axis], other.box.hi[axis]);
    }
    return *this;
  }
  void include(int z, int y, int x) {
    const Int3 i{z, y, x};
    for (int axis = 0; axis < 3; ++axis) {
      box.lo[axis] = std::min(box.lo[axis], i[axis]);
      box.hi[axis] = std::max(box.hi[axis], i[axis] + 1);
    }
  }
};

std::map<std::int32_t, Region> regions_of(const Labels& fixed, const Labels& warped) {
  std::map<std::int32_t, Region> regions;
  const Box& box = fixed.stored;
  Region* last[2] = {nullptr, nullptr};  // runs of one label are long; spares most look-ups
  std::int32_t last_label[2] = {0, 0};
  const auto region = [&](int slot, std::int32_t label) -> Region& {
    if (!last[slot] || last_label[slot] != label) last[slot] = &regions[label];
    last_label[slot] = label;
    return *last[slot];
  };
  for (int z = box.lo[0]; z < box.hi[0]; ++z)
    for (int y = box.lo[1]; y < box.hi[1]; ++y)
      for (int x = box.lo[2]; x < box.hi[2]; ++x) {
        const std::int32_t f = fixed(z, y, x), w = warped(z, y, x);
        if (f != 0) {
          Region& r = region(0, f);
          ++r.fixed;
          r.both += f == w;
          r.include(z, y, x);
        }
        if (w != 0) {
          Region& r = region(1, w);
          ++r.warped;
          r.include(z, y, x);
        }
      }
  return regions;
}

/// The regions of all labels of the maps, of which this rank has its part.
std::map<std::int32_t, Region> all_regions(dist::Comm& comm, const dist::Cut& cut,
                                           const Labels& fixed, const Labels& warped) {
  auto regions = regions_of(fixed, warped);
  if (cut.whole()) return regions;
  struct Found {
    std::int32_t label;
    Region region;
  };
  std::vector<Found> found;
  found.reserve(regions.size());
  for (const auto& [label, region] : regions) found.push_back({label, region});
  regions.clear();
  for (const Found& f : comm.all_gather_lists(std::span<const Found>(found)))
    regions[f.label] += f.region;
  return regions;
}

/// 1 at voxels of `label` with a face neighbour of another label. Beyond the faces of the image
/// counts as another label, except along an axis of one voxel.
/// @param box  holds all voxels of the label
Field<std::uint8_t> surface(const Labels& map, const Box& domain, const Box& box,
                            std::int32_t label) {
  Field<std::uint8_t> result(Backend::cpu, box);
  const View<std::uint8_t> out = result.view();
  const auto is = [&](int z, int y, int x) {
    return box.contains(z, y, x) && map(z, y, x) == label;
  };
  for (int z = box.lo[0]; z < box.hi[0]; ++z)
    for (int y = box.lo[1]; y < box.hi[1]; ++y)
      for (int x = box.lo[2]; x < box.hi[2]; ++x) {
        const bool deep_z = domain.size(0) == 1 || (is(z - 1, y, x) && is(z + 1, y, x));
        const bool deep_y = domain.size(1) == 1 || (is(z, y - 1, x) && is(z, y + 1, x));
        const bool deep_x = domain.size(2) == 1 || (is(z, y, x - 1) && is(z, y, x + 1));
        out(z, y, x) = is(z, y, x) && !(deep_z && deep_y && deep_x);
      }
  return result;
}

struct Distances {
  double hd90 = 0, hd95 = 0;  ///< [mm]
};

Distances surface_distances(Context& ctx, const Vec3& spacing, const Field<std::uint8_t>& fixed,
                            const Field<std::uint8_t>& warped) {
  Distances result;
  const Field<std::uint8_t>* surfaces[2] = {&fixed, &warped};
  for (int side = 0; side < 2; ++side) {
    const Field<float> squared = squared_distance(ctx, *surfaces[1 - side], spacing);
    std::vector<double> distances;
    for (std::int64_t i = 0; i < squared.size(); ++i)
      if (surfaces[side]->data()[i] != 0)
        distances.push_back(std::sqrt(static_cast<double>(squared.data()[i])));
    result.hd90 = std::max(result.hd90, percentile(distances, 90));
    result.hd95 = std::max(result.hd95, percentile(distances, 95));
  }
  return result;
}

/// A label that both maps have.
struct Common {
  LabelScore* score;
  Box box;
};

/// The ranks take the labels in turn. A rank fetches the box of a label and computes its distances.
void add_surface_distances(Context& ctx, dist::Comm& comm, const dist::Cut& cut,
                           const Vec3& spacing, const Labels& fixed, const Labels& warped,
                           const std::vector<Common>& common) {
  const auto ranks = static_cast<std::size_t>(comm.size());
  for (std::size_t first = 0; first < common.size(); first += ranks) {
    const std::size_t mine = first + static_cast<std::size_t>(comm.rank());
    const Common none{nullptr, {}};
    const Common& c = mine < common.size() ? common[mine] : none;
    const LabelWindow f(Context(), comm, cut, fixed, c.box), w(Context(), comm, cut, warped, c.box);
    Distances distances;
    if (c.score) {
      const auto label = static_cast<std::int32_t>(c.score->label);
      distances = surface_distances(ctx, spacing, surface(f.view(), cut.domain(), c.box, label),
                                    surface(w.view(), cut.domain(), c.box, label));
    }
    const auto all = comm.all_gather(distances);
    for (std::size_t i = 0; i < ranks && first + i < common.size(); ++i) {
      common[first + i].score->hd90 = all[i].hd90;
      common[first + i].score->hd95 = all[i].hd95;
    }
  }
}

void average(LabelScores& scores) {
  double weights = 0;
  for (const LabelScore& s : scores.labels) {
    if (s.fixed_voxels == 0 || s.warped_voxels == 0) continue;
    ++scores.common;
    const double weight = 1 / static_cast<double>(s.fixed_voxels);
    weights += weight;
    scores.inverse_dice += weight * s.dice;
    scores.mean_dice += s.dice;
    scores.mean_hd90 += s.hd90;
    scores.mean_hd95 += s.hd95;
  }
  if (scores.common == 0) return;
  scores.inverse_dice /= weights;
  scores.mean_dice /= scores.common;
  scores.mean_hd90 /= scores.common;
  scores.mean_hd95 /= scores.common;
}

}  // namespace

LabelScores compare_labels(Context& ctx, const Vec3& spacing, const Labels& fixed,
                           const Labels& warped) {
  dist::SoloComm solo;
  return compare_labels(ctx, solo, dist::Cut(solo, fixed.stored), spacing, fixed, warped);
}

LabelScores compare_labels(Context& ctx, dist::Comm& comm, const dist::Cut& cut,
                           const Vec3& spacing, const Labels& fixed, const Labels& warped) {
  require_same_box(fixed.stored, warped.stored);
  const auto regions = all_regions(comm, cut, fixed, warped);
  LabelScores scores;
  scores.labels.reserve(regions.size());
  std::vector<Common> common;
  double both = 0, sizes = 0;
  for (const auto& [label, region] : regions) {
    LabelScore& score = scores.labels.emplace_back();
    score.label = label;
    score.fixed_voxels = region.fixed;
    score.warped_voxels = region.warped;
    score.dice =
        2 * static_cast<double>(region.both) / static_cast<double>(region.fixed + region.warped);
    both += static_cast<double>(region.both);
    sizes += static_cast<double>(region.fixed + region.warped);
    score.hd90 = score.hd95 = std::numeric_limits<double>::quiet_NaN();
    if (region.fixed > 0 && region.warped > 0) common.push_back({&score, region.box});
  }
  add_surface_distances(ctx, comm, cut, spacing, fixed, warped, common);
  scores.pooled_dice = sizes > 0 ? 2 * both / sizes : 0;
  average(scores);
  return scores;
}

}  // namespace ffdp::evaluation
