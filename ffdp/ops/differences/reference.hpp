// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>

#include "ffdp/ops/differences/differences.hpp"

/// Double-precision oracle for tests.
namespace ffdp::differences::reference {

/// Energy of the differences at the voxels of `compute`.
template <class T>
double energy(const Params& p, const Box& domain, const Box& compute, const View<const T>& u) {
  double total = 0;
  for (const Stencil& stencil : p.stencils)
    for (int z = compute.lo[0]; z < compute.hi[0]; ++z)
      for (int y = compute.lo[1]; y < compute.hi[1]; ++y)
        for (int x = compute.lo[2]; x < compute.hi[2]; ++x) {
          double d = 0;
          bool inside = true;
          for (const auto& [o, coefficient] : stencil.taps) {
            const bool in = domain.contains(z + o[0], y + o[1], x + o[2]);
            inside = inside && in;
            if (in) d += coefficient * double(u(z + o[0], y + o[1], x + o[2]));
          }
          if (inside)
            total += stencil.weight * (p.power == Power::squared ? std::pow(d, 2) : std::abs(d));
        }
  return total;
}

}  // namespace ffdp::differences::reference
