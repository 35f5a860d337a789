// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "ffdp/core/plane_sums.hpp"
#include "ffdp/dist/cut.hpp"

namespace ffdp::dist {

/// The sum over a domain, added in the order of its planes: the same bits at any number of ranks.
/// Collective.
/// @param mine  the sums over cut.own(comm), plane by plane
template <class Sum>
Sum ordered_sum(Comm& comm, const Cut& cut, const PlaneSums<Sum>& mine) {
  if (cut.whole()) return mine.total();
  return PlaneSums<Sum>{comm.all_gather_lists(std::span<const Sum>(mine.of_planes))}.total();
}

/// Adds whole numbers that every rank counted in what it owns. Collective.
inline void sum_counts(Comm& comm, const Cut& cut, std::span<std::int64_t> values) {
  if (!cut.whole()) comm.all_sum(values);
}
inline std::int64_t sum_count(Comm& comm, const Cut& cut, std::int64_t value) {
  sum_counts(comm, cut, {&value, 1});
  return value;
}
/// Likewise, for sums that do not depend on the order of addition (ops/common/exact_sum.hpp).
inline void sum_exact(Comm& comm, const Cut& cut, std::span<double> values) {
  if (!cut.whole()) comm.all_sum_exact(values);
}
/// The maximum over a domain. Collective.
inline double largest(Comm& comm, const Cut& cut, double value) {
  if (!cut.whole()) comm.all_max({&value, 1});
  return value;
}

}  // namespace ffdp::dist
