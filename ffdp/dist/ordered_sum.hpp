// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/plane_sums.hpp"
#include "ffdp/dist/cut.hpp"

namespace ffdp::dist {

/// The sum over a domain of what its planes gave, added in the order of the planes: the same bits
/// on any number of ranks. Collective.
/// @param mine  the sums over cut.own(comm), plane by plane
template <class Sum>
Sum ordered_sum(Comm& comm, const Cut& cut, const PlaneSums<Sum>& mine) {
  if (cut.whole()) return mine.total();
  return PlaneSums<Sum>{comm.all_gather_lists(std::span<const Sum>(mine.of_planes))}.total();
}

}  // namespace ffdp::dist
