// SPDX-License-Identifier: Apache-2.0
#include "ffdp/evaluation/scores.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "ffdp/core/error.hpp"
#include "ffdp/core/parallel.hpp"
#include "ffdp/dist/ordered_sum.hpp"
#include "ffdp/evaluation/common.hpp"
#include "ffdp/ops/mi/mi.hpp"

namespace ffdp::evaluation {
namespace {

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

/// Moves all numbers to rank 0, in the order of the ranks.
void gather(dist::Comm& comm, std::vector<double>& numbers) {
  const auto counts = comm.all_gather(static_cast<std::int64_t>(numbers.size()));
  if (comm.rank() != 0) {
    const dist::Send send{0, numbers.data(), numbers.size() * sizeof(double)};
    comm.exchange({&send, 1}, {});
    numbers = {};
    return;
  }
  std::size_t at = numbers.size();
  numbers.resize(static_cast<std::size_t>(std::accumulate(counts.begin(), counts.end(), 0LL)));
  for (int rank = 1; rank < comm.size(); ++rank) {
    const auto count = static_cast<std::size_t>(counts[static_cast<std::size_t>(rank)]);
    const dist::Receive receive{rank, numbers.data() + at, count * sizeof(double)};
    comm.exchange({}, {&receive, 1});
    at += count;
  }
}

/// Sums for the correlation, over intensities from which a constant is subtracted.
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

Similarity compare_images(Context& ctx, const View<const float>& fixed,
                          const View<const float>& warped, const View<const std::uint8_t>& mask) {
  dist::SoloComm solo;
  return compare_images(ctx, solo, dist::Cut(solo, fixed.stored), fixed, warped, mask);
}

Similarity compare_images(Context& ctx, dist::Comm& comm, const dist::Cut& cut,
                          const View<const float>& fixed, const View<const float>& warped,
                          const View<const std::uint8_t>& mask) {
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
  for (int i = 0; i < 2; ++i) {
    lo[i] = static_cast<float>(-dist::largest(comm, cut, -static_cast<double>(lo[i])));
    hi[i] = static_cast<float>(dist::largest(comm, cut, static_cast<double>(hi[i])));
  }
  Similarity result;
  if (!(lo[0] <= hi[0])) return result;
  const View<const float> values = counted.view();
  const auto moments = plane_sums<Moments>(ctx, box.size(0), [&](std::int64_t plane, int) {
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
  const Moments m = dist::ordered_sum(comm, cut, moments);
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
  mi::accumulate(ctx, params, cut.domain(), box, {fixed, values}, histogram);
  dist::sum_counts(comm, cut, histogram.joint);
  histogram.samples = dist::sum_count(comm, cut, histogram.samples);
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
  dist::SoloComm solo;
  return compare_warps(solo, dist::Cut(solo, truth.stored), warp, truth, mask);
}

PointScores compare_warps(dist::Comm& comm, const dist::Cut& cut,
                          const VectorView<const float>& warp, const VectorView<const float>& truth,
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
  if (!cut.whole()) gather(comm, errors);
  PointScores scores;
  if (cut.whole() || comm.rank() == 0) scores = scores_of(errors);
  if (!cut.whole()) comm.broadcast(&scores, sizeof(scores), 0);
  return scores;
}

}  // namespace ffdp::evaluation
