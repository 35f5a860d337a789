// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/copy.hpp"
#include "ffdp/ops/common/slots.hpp"

namespace ffdp {

/// What a metric returns for its compute box: a sum to be added over shards, never a mean.
struct MetricSum {
  double value = 0;   ///< sum over the counted voxels
  double weight = 0;  ///< number of voxels counted [voxels]
  MetricSum& operator+=(const MetricSum& other) {
    value += other.value;
    weight += other.weight;
    return *this;
  }
};

/// Calls add(sum) on a sum of 0 in memory of the backend, waits, and returns the sum.
template <class Add>
MetricSum metric_sum(Context& ctx, Add&& add) {
  MetricSum sum;
  auto* there = ctx.scratch<MetricSum>(metric_sum_slot, 1);
  copy_bytes(ctx, ctx.backend, there, Backend::cpu, &sum, sizeof(sum));
  add(there);
  copy_bytes(ctx, Backend::cpu, &sum, ctx.backend, there, sizeof(sum));
  return sum;
}

}  // namespace ffdp
