// SPDX-License-Identifier: Apache-2.0
#include "ffdp/evaluation/scores.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>

#include "ffdp/core/error.hpp"
#include "ffdp/core/parallel.hpp"
#include "ffdp/evaluation/distance_transform.hpp"
#include "ffdp/ops/mi/mi.hpp"

namespace ffdp::evaluation {
namespace {

/// Where a label is, and how much of it.
struct Region {
  std::int64_t fixed = 0, warped = 0, both = 0;
  Box box{{std::numeric_limits<int>::max(), std::numeric_limits<int>::max(),
           std::numeric_limits<int>::max()},
          {std::numeric_limits<int>::min(), std::numeric_limits<int>::min(),
           std::numeric_limits<int>::min()}};

  void include(int z, int y, int x) {
    const Int3 i{z, y, x};
    for (int axis = 0; axis < 3; ++axis) {
      box.lo[axis] = std::min(box.lo[axis], i[axis]);
      box.hi[axis] = std::max(box.hi[axis], i[axis] + 1);
    }
  }
};

std::map<std::int32_t, Region> regions_of(const View<const std::int32_t>& fixed,
                                          const View<const std::int32_t>& warped) {
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

/// 1 at voxels of `label` with a face neighbour that is something else; the image's own faces count
/// as something else, except along an axis of one voxel.
Field<std::uint8_t> surface(const View<const std::int32_t>& map, const Box& box,
                            std::int32_t label) {
  Field<std::uint8_t> result(Backend::cpu, box);
  const View<std::uint8_t> out = result.view();
  const Box& domain = map.stored;
  const auto is = [&](int z, int y, int x) {
    return domain.contains(z, y, x) && map(z, y, x) == label;
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

/// Percentile with linear interpolation between order statistics, as numpy's default.
double percentile(std::vector<double>& values, double percent) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  const double position = percent / 100 * static_cast<double>(values.size() - 1);
  const auto k = static_cast<std::ptrdiff_t>(position);
  std::nth_element(values.begin(), values.begin() + k, values.end());
  const double below = values[static_cast<std::size_t>(k)];
  if (static_cast<std::size_t>(k) + 1 == values.size()) return below;
  const double above = *std::min_element(values.begin() + k + 1, values.end());
  return below + (position - static_cast<double>(k)) * (above - below);
}

void add_surface_distances(Context& ctx, const Vec3& spacing, const View<const std::int32_t>& fixed,
                           const View<const std::int32_t>& warped, const Box& box,
                           LabelScore& score) {
  const auto label = static_cast<std::int32_t>(score.label);
  const Field<std::uint8_t> surfaces[2] = {surface(fixed, box, label), surface(warped, box, label)};
  for (int side = 0; side < 2; ++side) {
    const Field<float> squared = squared_distance(ctx, surfaces[1 - side], spacing);
    std::vector<double> distances;
    for (std::int64_t i = 0; i < squared.size(); ++i)
      if (surfaces[side].data()[i] != 0)
        distances.push_back(std::sqrt(static_cast<double>(squared.data()[i])));
    score.hd90 = std::max(score.hd90, percentile(distances, 90));
    score.hd95 = std::max(score.hd95, percentile(distances, 95));
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

void require_same_box(const Box& fixed, const Box& warped) {
  require(fixed == warped, "evaluate: warped is stored over " + to_string(warped) +
                               ", must be stored as fixed, over " + to_string(fixed));
}

/// std::hypot(0, NaN, 0) is 0 in libstdc++ 12.
double length(const Vec3& v) { return std::sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]); }

/// Takes those that are no numbers out and reorders the others.
PointScores scores_of(std::vector<double>& errors) {
  PointScores scores;
  scores.left_out =
      static_cast<std::int64_t>(std::erase_if(errors, [](double e) { return !std::isfinite(e); }));
  if (errors.empty()) {
    scores.mean = scores.sd = scores.median = scores.p95 = scores.max = std::nan("");
    return scores;
  }
  double sum = 0, squares = 0;
  for (double e : errors) {
    sum += e;
    squares += e * e;
    scores.max = std::max(scores.max, e);
  }
  const auto n = static_cast<double>(errors.size());
  scores.count = static_cast<std::int64_t>(errors.size());
  scores.mean = sum / n;
  scores.sd = std::sqrt(std::max(0.0, squares / n - scores.mean * scores.mean));
  scores.median = percentile(errors, 50);
  scores.p95 = percentile(errors, 95);
  return scores;
}

/// Sums for the correlation, of intensities shifted by a constant.
struct Moments {
  double n = 0, f = 0, w = 0, ff = 0, ww = 0, fw = 0;
  Moments& operator+=(const Moments& other) {
    n += other.n;
    f += other.f;
    w += other.w;
    ff += other.ff;
    ww += other.ww;
    fw += other.fw;
    return *this;
  }
};

}  // namespace

LabelScores compare_labels(Context& ctx, const Vec3& spacing, const View<const std::int32_t>& fixed,
                           const View<const std::int32_t>& warped) {
  require_same_box(fixed.stored, warped.stored);
  LabelScores scores;
  double both = 0, sizes = 0;
  for (const auto& [label, region] : regions_of(fixed, warped)) {
    LabelScore score;
    score.label = label;
    score.fixed_voxels = region.fixed;
    score.warped_voxels = region.warped;
    score.dice =
        2 * static_cast<double>(region.both) / static_cast<double>(region.fixed + region.warped);
    both += static_cast<double>(region.both);
    sizes += static_cast<double>(region.fixed + region.warped);
    if (region.fixed > 0 && region.warped > 0)
      add_surface_distances(ctx, spacing, fixed, warped, region.box, score);
    else
      score.hd90 = score.hd95 = std::numeric_limits<double>::quiet_NaN();
    scores.labels.push_back(score);
  }
  scores.pooled_dice = sizes > 0 ? 2 * both / sizes : 0;
  average(scores);
  return scores;
}

Similarity compare_images(Context& ctx, const View<const float>& fixed,
                          const View<const float>& warped, const View<const std::uint8_t>& mask) {
  require_same_box(fixed.stored, warped.stored);
  const Box& box = fixed.stored;
  Field<float> counted(Backend::cpu, box);  // warped, NaN where a voxel does not count
  float lo[2] = {HUGE_VALF, HUGE_VALF}, hi[2] = {-HUGE_VALF, -HUGE_VALF};
  for (int z = box.lo[0]; z < box.hi[0]; ++z)
    for (int y = box.lo[1]; y < box.hi[1]; ++y)
      for (int x = box.lo[2]; x < box.hi[2]; ++x) {
        const float f = fixed(z, y, x), w = warped(z, y, x);
        const bool counts = std::isfinite(f) && std::isfinite(w) && (!mask || mask(z, y, x) != 0);
        counted.view()(z, y, x) = counts ? w : std::numeric_limits<float>::quiet_NaN();
        if (!counts) continue;
        lo[0] = std::min(lo[0], f);
        hi[0] = std::max(hi[0], f);
        lo[1] = std::min(lo[1], w);
        hi[1] = std::max(hi[1], w);
      }
  Similarity result;
  if (!(lo[0] <= hi[0])) return result;
  const View<const float> values = counted.view();
  const auto m = parallel_sum<Moments>(ctx, box.size(0), [&](std::int64_t plane, int) {
    const int z = box.lo[0] + static_cast<int>(plane);
    Moments sum;
    for (int y = box.lo[1]; y < box.hi[1]; ++y)
      for (int x = box.lo[2]; x < box.hi[2]; ++x) {
        const double w = static_cast<double>(values(z, y, x)) - static_cast<double>(lo[1]);
        if (std::isnan(w)) continue;
        const double f = static_cast<double>(fixed(z, y, x)) - static_cast<double>(lo[0]);
        sum += {1, f, w, f * f, w * w, f * w};
      }
    return sum;
  });
  result.voxels = static_cast<std::int64_t>(m.n);
  const double spread = (m.n * m.ff - m.f * m.f) * (m.n * m.ww - m.w * m.w);
  if (!(spread > 0)) return result;  // a constant image has no correlation and no information
  result.ncc = (m.n * m.fw - m.f * m.w) / std::sqrt(spread);
  mi::Params params;
  params.fixed_lo = lo[0];
  params.fixed_hi = hi[0];
  params.moving_lo = lo[1];
  params.moving_hi = hi[1];
  mi::Histogram histogram;
  mi::accumulate(ctx, params, box, box, fixed, values, histogram);
  result.mi = mi::evaluate(params, histogram).value;
  return result;
}

PointScores compare_points(std::span<const Vec3> mapped, std::span<const Vec3> wanted) {
  require(mapped.size() == wanted.size(), "evaluate: " + std::to_string(wanted.size()) +
                                              " moving points, must be as many as the " +
                                              std::to_string(mapped.size()) + " fixed points");
  std::vector<double> errors;
  errors.reserve(mapped.size());
  for (std::size_t i = 0; i < mapped.size(); ++i)
    errors.push_back(length(
        {mapped[i][0] - wanted[i][0], mapped[i][1] - wanted[i][1], mapped[i][2] - wanted[i][2]}));
  return scores_of(errors);
}

PointScores compare_warps(const VectorView<const float>& warp, const VectorView<const float>& truth,
                          const View<const std::uint8_t>& mask) {
  require_same_box(truth.stored, warp.stored);
  std::vector<double> errors;
  const Box& box = truth.stored;
  for (int z = box.lo[0]; z < box.hi[0]; ++z)
    for (int y = box.lo[1]; y < box.hi[1]; ++y)
      for (int x = box.lo[2]; x < box.hi[2]; ++x) {
        if (mask && mask(z, y, x) == 0) continue;
        Vec3 e;
        for (int c = 0; c < 3; ++c)
          e[c] = static_cast<double>(warp[c](z, y, x)) - static_cast<double>(truth[c](z, y, x));
        errors.push_back(length(e));
      }
  return scores_of(errors);
}

}  // namespace ffdp::evaluation
