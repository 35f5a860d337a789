// SPDX-License-Identifier: Apache-2.0
#include "ffdp/dist/cut.hpp"

#include <cstdint>

namespace ffdp::dist {

Cut::Cut(const Box& domain, int ranks, std::int64_t uncut)
    : domain_(domain),
      ranks_(ranks),
      whole_(ranks == 1 || domain.size(0) < ranks || domain.size(1) == 1 || domain.size(2) == 1 ||
             domain.volume() <= uncut ||
             (domain.size(0) < std::int64_t{least_planes} * ranks && domain.volume() <= small)) {}

Cut Cut::always(const Box& domain, int ranks) {
  Cut cut(domain, ranks);
  cut.whole_ = ranks == 1;
  return cut;
}

Box Cut::own(int rank) const {
  Box own = domain_;
  if (whole_) return own;
  const std::int64_t planes = domain_.size(0);
  own.lo[0] = domain_.lo[0] + static_cast<int>(planes * rank / ranks_);
  own.hi[0] = domain_.lo[0] + static_cast<int>(planes * (rank + 1) / ranks_);
  return own;
}

std::vector<Box> rims(const Box& box, const Box& own) {
  Box below = box, above = box;
  below.hi[0] = own.lo[0];
  above.lo[0] = own.hi[0];
  std::vector<Box> parts;
  for (const Box& rim : {below, above})
    if (!rim.empty()) parts.push_back(rim);
  return parts;
}

}  // namespace ffdp::dist
