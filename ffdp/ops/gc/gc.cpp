// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/gc/gc.hpp"

#include <cmath>

#include "ffdp/core/copy.hpp"
#include "ffdp/ops/common/checks.hpp"
#include "ffdp/ops/common/dispatch.hpp"
#include "ffdp/ops/common/slots.hpp"
#include "ffdp/ops/gc/backends.hpp"

namespace ffdp::gc {
namespace {

void check(const Params& p) {
  require(p.fixed_scale > 0 && p.moving_scale > 0 && std::isfinite(p.fixed_scale) &&
              std::isfinite(p.moving_scale),
          "gc: scales are " + std::to_string(p.fixed_scale) + " and " +
              std::to_string(p.moving_scale) + ", must be more than 0 and finite");
}

enum Slot { sums_slot = outer_slots, slope_slot };

}  // namespace

void accumulate(Context& ctx, const Params& p, Box domain, Box compute, const Images<float>& images,
                Sums& sums) {
  auto* there = ctx.scratch<std::int64_t>(sums_slot, sums.size());
  copy_bytes(ctx, ctx.backend, there, Backend::cpu, sums.data(), sizeof(sums));
  accumulate(ctx, p, domain, compute, images, there);
  copy_bytes(ctx, Backend::cpu, sums.data(), ctx.backend, there, sizeof(sums));
}

Correlation evaluate(const Params& p, const Sums& sums) {
  Context ctx;
  Correlation found;
  evaluate(ctx, p, sums.data(), found.slope.data(), &found.value);
  return found;
}

void backward(Context& ctx, const Params& p, Box domain, Box compute, float scale,
              const Slope& slope, const Images<float>& images, View<float> grad) {
  auto* there = ctx.scratch<float>(slope_slot, slope.size());
  copy_bytes(ctx, ctx.backend, there, Backend::cpu, slope.data(), sizeof(slope));
  backward(ctx, p, domain, compute, scale, there, images, grad);
}

void accumulate(Context& ctx, const Params& p, Box domain, Box compute, const Images<float>& images,
                std::int64_t* sums) {
  check(p);
  require_boxes("gc", domain, compute);
  require_stored("gc", images, compute);
  require(sums != nullptr, "gc: sums are absent");
  dispatch(ctx, [&]<Backend B>() { On<B>::accumulate(ctx, p, domain, compute, images, sums); });
}

void evaluate(Context& ctx, const Params& p, const std::int64_t* sums, float* slope,
              MetricSum* result) {
  check(p);
  require(sums != nullptr && slope != nullptr && result != nullptr,
          "gc: sums, slope or result are absent");
  dispatch(ctx, [&]<Backend B>() { On<B>::evaluate(ctx, p, sums, slope, result); });
}

void backward(Context& ctx, const Params& p, Box domain, Box compute, float scale,
              const float* slope, const Images<float>& images, View<float> grad) {
  check(p);
  require_boxes("gc", domain, compute);
  require(slope != nullptr, "gc: slope is absent");
  require_stored("gc", images, compute);
  require_stored("gc", "grad", grad, compute);
  dispatch(ctx, [&]<Backend B>() {
    On<B>::backward(ctx, p, domain, compute, scale, slope, images, grad);
  });
}

}  // namespace ffdp::gc
