// SPDX-License-Identifier: Apache-2.0
#pragma once

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

}  // namespace ffdp
