// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "ffdp/core/box.hpp"
#include "ffdp/dist/comm.hpp"

namespace ffdp::dist {

/// How a domain is divided among ranks: into slabs of planes, one per rank, as equal as possible.
/// Some domains are not cut, and every rank has all of them: slices; those with fewer planes than
/// ranks; those of at most Comm::uncut() voxels; and those of at most `small` voxels with fewer
/// than `least_planes` planes per rank.
class Cut {
 public:
  /// A slab of fewer planes is not worth the messages.
  static constexpr int least_planes = 4;
  /// A domain of more voxels is cut even into slabs of fewer planes.
  static constexpr std::int64_t small = std::int64_t{1} << 24U;

  Cut() = default;
  /// @param uncut  domains of at most this many voxels are not cut
  Cut(const Box& domain, int ranks, std::int64_t uncut = 0);
  Cut(const Comm& comm, const Box& domain) : Cut(domain, comm.size(), comm.uncut()) {}
  /// A cut into slabs, however thin they are; some may be empty.
  static Cut always(const Box& domain, int ranks);

  const Box& domain() const { return domain_; }
  int ranks() const { return ranks_; }
  /// Whether the domain is not cut: every rank has all of it.
  bool whole() const { return whole_; }
  /// The voxels of a rank. Those of all ranks tile the domain, unless it is whole.
  Box own(int rank) const;
  Box own(const Comm& comm) const { return own(comm.rank()); }
  friend bool operator==(const Cut&, const Cut&) = default;

 private:
  Box domain_;
  int ranks_ = 1;
  bool whole_ = true;
};

/// The planes of `box` below and above those of `own`, which lies within it: up to two boxes.
std::vector<Box> rims(const Box& box, const Box& own);

}  // namespace ffdp::dist
