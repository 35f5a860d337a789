// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/host_device.hpp"
#include "ffdp/ops/differences/differences.hpp"

namespace ffdp::differences {

/// Params as a kernel takes them: by value.
template <class T>
struct Flat {
  struct One {
    int taps;
    int z[most_taps], y[most_taps], x[most_taps];
    T coefficient[most_taps], weight;
    Int3 lo, hi;  ///< smallest and largest offsets
  };
  One stencil[most_stencils];
  int stencils;
  bool squared;
};

template <class T>
Flat<T> flat_of(const Params& p) {
  Flat<T> flat{};
  flat.stencils = static_cast<int>(p.stencils.size());
  flat.squared = p.power == Power::squared;
  for (int s = 0; s < flat.stencils; ++s) {
    const Stencil& from = p.stencils[s];
    auto& to = flat.stencil[s];
    to.taps = static_cast<int>(from.taps.size());
    to.weight = static_cast<T>(from.weight);
    to.lo = to.hi = from.taps[0].offset;
    for (int t = 0; t < to.taps; ++t) {
      const Int3& o = from.taps[t].offset;
      to.z[t] = o[0];
      to.y[t] = o[1];
      to.x[t] = o[2];
      to.coefficient[t] = static_cast<T>(from.taps[t].coefficient);
      for (int a = 0; a < 3; ++a) {
        to.lo[a] = o[a] < to.lo[a] ? o[a] : to.lo[a];
        to.hi[a] = o[a] > to.hi[a] ? o[a] : to.hi[a];
      }
    }
  }
  return flat;
}

/// Whether all taps at (z, y, x) lie in the domain.
template <class One>
FFDP_HD inline bool fits(const One& s, const Box& domain, int z, int y, int x) {
  return z + s.lo[0] >= domain.lo[0] && z + s.hi[0] < domain.hi[0] && y + s.lo[1] >= domain.lo[1] &&
         y + s.hi[1] < domain.hi[1] && x + s.lo[2] >= domain.lo[2] && x + s.hi[2] < domain.hi[2];
}

template <class T, class One>
FFDP_HD inline T difference(const One& s, const View<const T>& u, int z, int y, int x) {
  T d = 0;
  for (int t = 0; t < s.taps; ++t) d += s.coefficient[t] * u(z + s.z[t], y + s.y[t], x + s.x[t]);
  return d;
}

/// What the stencils at (z, y, x) add to the energy.
template <class T>
FFDP_HD inline double energy(const Flat<T>& flat, const Box& domain, const View<const T>& u, int z,
                             int y, int x) {
  double sum = 0;
  for (int k = 0; k < flat.stencils; ++k) {
    const auto& s = flat.stencil[k];
    if (!fits(s, domain, z, y, x)) continue;
    const double d = double(difference(s, u, z, y, x));
    sum += double(s.weight) * (flat.squared ? d * d : d < 0 ? -d : d);
  }
  return sum;
}

/// Derivative of |d|^p.
template <class T>
FFDP_HD inline T slope(bool squared, T d) {
  return squared ? 2 * d : T((d > 0) - (d < 0));
}

/// Derivative of the energy w.r.t. u(z, y, x), from all stencils that have a tap there.
template <class T>
FFDP_HD inline T energy_vjp(const Flat<T>& flat, const Box& domain, const View<const T>& u, int z,
                            int y, int x) {
  T sum = 0;
  for (int k = 0; k < flat.stencils; ++k) {
    const auto& s = flat.stencil[k];
    T part = 0;
    for (int t = 0; t < s.taps; ++t) {
      const int bz = z - s.z[t], by = y - s.y[t], bx = x - s.x[t];
      if (s.coefficient[t] == 0 || !fits(s, domain, bz, by, bx)) continue;
      part += s.coefficient[t] * slope(flat.squared, difference(s, u, bz, by, bx));
    }
    sum += s.weight * part;
  }
  return sum;
}

}  // namespace ffdp::differences
