// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace ffdp {

/// Scratch slots (Context::scratch) that more than one file uses. Slots that only one file uses are
/// numbered there, from 0 on, in an enum. Two ops never run at the same time, so the large fields
/// of all ops share a few slots, and with them the memory.
enum SharedSlot {
  axis_slots = 6,       ///< two, for fields of stencils that work axis by axis
  sum_slot = 8,         ///< partial sums of ops/common/voxels.cuh
  metric_sum_slot = 9,  ///< the sum of ops/common/metric_sum.hpp
  /// Two, for fields that an op keeps while it calls another function that takes scratch: the
  /// function of a backend, or of an op that it fuses.
  outer_slots = 10
};

}  // namespace ffdp
