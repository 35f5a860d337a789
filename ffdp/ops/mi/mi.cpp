// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/mi/mi.hpp"

#include <algorithm>
#include <vector>

#include "ffdp/core/copy.hpp"
#include "ffdp/ops/common/checks.hpp"
#include "ffdp/ops/common/dispatch.hpp"
#include "ffdp/ops/common/slots.hpp"
#include "ffdp/ops/mi/backends.hpp"
#include "ffdp/ops/mi/math.hpp"

namespace ffdp::mi {
namespace {

void check(const Params& p) {
  const int least = 2 * padding(p.parzen) + 2;
  require(p.bins >= least && p.bins <= 128, "mi: bins is " + std::to_string(p.bins) +
                                                ", must be within " + std::to_string(least) +
                                                " and 128");
  require(p.fixed_hi > p.fixed_lo && p.moving_hi > p.moving_lo,
          "mi: an intensity range is empty: fixed [" + std::to_string(p.fixed_lo) + ", " +
              std::to_string(p.fixed_hi) + "], moving [" + std::to_string(p.moving_lo) + ", " +
              std::to_string(p.moving_hi) + "]");
}

enum Slot { counts_slot = outer_slots, derivative_slot };

std::size_t cells(const Params& p) { return static_cast<std::size_t>(p.bins) * p.bins; }

/// The histogram in memory of the backend.
std::int64_t* counts_of(Context& ctx, const Params& p, const Histogram& histogram) {
  std::vector<std::int64_t> counts = histogram.joint;
  counts.resize(cells(p), 0);
  counts.push_back(histogram.samples);
  auto* there = ctx.scratch<std::int64_t>(counts_slot, counts.size());
  copy_bytes(ctx, ctx.backend, there, Backend::cpu, counts.data(),
             counts.size() * sizeof(std::int64_t));
  return there;
}

}  // namespace

void accumulate(Context& ctx, const Params& p, Box domain, Box compute, const Images<float>& images,
                Histogram& histogram) {
  check(p);
  require(histogram.joint.empty() || histogram.joint.size() == cells(p),
          "mi: the histogram has another number of bins than " + std::to_string(p.bins));
  std::int64_t* counts = counts_of(ctx, p, histogram);
  accumulate(ctx, p, domain, compute, images, counts);
  histogram.joint.resize(cells(p));
  copy_bytes(ctx, Backend::cpu, histogram.joint.data(), ctx.backend, counts,
             cells(p) * sizeof(std::int64_t));
  copy_bytes(ctx, Backend::cpu, &histogram.samples, ctx.backend, counts + cells(p),
             sizeof(std::int64_t));
}

void accumulate(Context& ctx, const Params& p, Box domain, Box compute, const Images<float>& images,
                std::int64_t* counts) {
  check(p);
  require_boxes("mi", domain, compute);
  require_stored("mi", images, compute);
  require(counts != nullptr, "mi: counts are absent");
  dispatch(ctx, [&]<Backend B>() { On<B>::accumulate(ctx, p, domain, compute, images, counts); });
}

Table evaluate(const Params& p, const Histogram& histogram) {
  check(p);
  require(std::any_of(histogram.joint.begin(), histogram.joint.end(),
                      [](std::int64_t count) { return count > 0; }),
          "mi: the histogram is empty: no voxel lies inside both images and masks");
  require(histogram.joint.size() == cells(p),
          "mi: the histogram has another number of bins than " + std::to_string(p.bins));
  Context ctx;
  const std::int64_t* counts = counts_of(ctx, p, histogram);
  Table table;
  table.derivative.resize(cells(p));
  MetricSum result;
  evaluate(ctx, p, counts, table.derivative.data(), &result);
  require(p.measure != Measure::normalized || result.value > 0,
          "mi: both images are constant where they overlap");
  table.value = result.value;
  return table;
}

void evaluate(Context& ctx, const Params& p, const std::int64_t* counts, float* derivative,
              MetricSum* result) {
  check(p);
  require(counts != nullptr && derivative != nullptr && result != nullptr,
          "mi: counts, derivative or result are absent");
  dispatch(ctx, [&]<Backend B>() { On<B>::evaluate(ctx, p, counts, derivative, result); });
}

void backward(Context& ctx, const Params& p, Box domain, Box compute, float scale,
              const Table& table, const Images<float>& images, View<float> grad) {
  check(p);
  require(table.derivative.size() == cells(p),
          "mi: the table has another number of bins than " + std::to_string(p.bins));
  auto* derivative = ctx.scratch<float>(derivative_slot, cells(p));
  copy_bytes(ctx, ctx.backend, derivative, Backend::cpu, table.derivative.data(),
             cells(p) * sizeof(float));
  backward(ctx, p, domain, compute, scale, derivative, images, grad);
}

void backward(Context& ctx, const Params& p, Box domain, Box compute, float scale,
              const float* derivative, const Images<float>& images, View<float> grad) {
  check(p);
  require_boxes("mi", domain, compute);
  require(derivative != nullptr, "mi: derivative is absent");
  require_stored("mi", images, compute);
  require_stored("mi", "grad", grad, compute);
  dispatch(ctx, [&]<Backend B>() {
    On<B>::backward(ctx, p, domain, compute, scale, derivative, images, grad);
  });
}

}  // namespace ffdp::mi
