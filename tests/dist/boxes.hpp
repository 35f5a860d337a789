// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/box.hpp"

/// A field whose values say where they are, and boxes of it that ranks may want.
namespace ffdp::test::boxes {

inline const Box domain{{-2, 3, 1}, {29, 14, 18}};

inline float value(int z, int y, int x) { return static_cast<float>(10000 * z + 100 * y + x); }

/// A box that depends on the rank: halos, boxes far from what the rank owns, everything, nothing.
inline Box wanted_by(int rank, const Box& own, int kind) {
  if (kind == 0) return intersect(grow(own, Int3{5, 0, 0}), domain);
  if (kind == 1) return domain;
  if (kind == 2 && rank % 3 == 1) return {};
  Box box = domain;
  for (int a = 0; a < 3; ++a) {
    box.lo[a] += (3 * rank + a) % 7;
    box.hi[a] -= (5 * rank + 2 * a) % 5;
  }
  return box;
}

}  // namespace ffdp::test::boxes
