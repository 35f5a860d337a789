// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <map>

#include "ffdp/core/host_device.hpp"
#include "ffdp/ops/differences/differences.hpp"

namespace ffdp::differences {

/// Params as a kernel takes them: by value, for images of one layout. Taps of coefficient 0 are
/// left out; only lo and hi know them.
template <class T>
struct Flat {
  static constexpr int most_weights = 64;
  struct One {
    int taps;
    Int3 at[most_taps];
    int offset[most_taps];  ///< of the tap from the voxel [elements]
    T coefficient[most_taps], weight;
    Int3 lo, hi;  ///< smallest and largest offsets, that of the voxel itself among them
  };
  One stencil[most_stencils];
  int stencils;
  bool squared;
  Box domain, inner;  ///< inner: where all differences fit that read the voxel, or are made at it
  /// There, the derivative of a squared energy is sum weight (u(x + offset) - u(x)). A stencil
  /// whose coefficients do not add up to 0 has no such sum; inner is empty then.
  int weights, offset[most_weights];
  T weight[most_weights];
};

/// Takes what is known of the inner voxels from the stencils.
template <class T>
void find_inner(Flat<T>& flat) {
  Int3 reach{};
  std::map<int, double> weights;  // by offset
  for (int k = 0; k < flat.stencils; ++k) {
    const auto& s = flat.stencil[k];
    double sum = 0;
    for (int t = 0; t < s.taps; ++t) {
      sum += double(s.coefficient[t]);
      for (int a = 0; a < 3; ++a)
        reach[a] =
            std::max({reach[a], s.at[t][a] - s.lo[a], s.hi[a] - s.at[t][a], s.hi[a], -s.lo[a]});
      for (int other = 0; other < s.taps; ++other)
        weights[s.offset[other] - s.offset[t]] +=
            2 * double(s.weight) * double(s.coefficient[t]) * double(s.coefficient[other]);
    }
    if (sum != 0) return;
  }
  weights.erase(0);
  if (weights.size() > Flat<T>::most_weights) return;
  for (const auto& [offset, weight] : weights) {
    flat.offset[flat.weights] = offset;
    flat.weight[flat.weights++] = static_cast<T>(weight);
  }
  for (int a = 0; a < 3; ++a) {
    flat.inner.lo[a] = flat.domain.lo[a] + reach[a];
    flat.inner.hi[a] = flat.domain.hi[a] - reach[a];
  }
}

template <class T>
Flat<T> flat_of(const Params& p, const Box& domain, const View<const T>& u) {
  Flat<T> flat{};
  flat.stencils = static_cast<int>(p.stencils.size());
  flat.squared = p.power == Power::squared;
  flat.domain = domain;
  for (int k = 0; k < flat.stencils; ++k) {
    const Stencil& from = p.stencils[k];
    auto& to = flat.stencil[k];
    to.weight = static_cast<T>(from.weight);
    for (const Stencil::Tap& tap : from.taps) {
      for (int a = 0; a < 3; ++a) {
        to.lo[a] = std::min(to.lo[a], tap.offset[a]);
        to.hi[a] = std::max(to.hi[a], tap.offset[a]);
      }
      if (tap.coefficient == 0) continue;
      to.at[to.taps] = tap.offset;
      to.offset[to.taps] =
          static_cast<int>(tap.offset[0] * u.stride_z + tap.offset[1] * u.stride_y + tap.offset[2]);
      to.coefficient[to.taps++] = static_cast<T>(tap.coefficient);
    }
  }
  find_inner(flat);
  return flat;
}

/// Whether all taps at (z, y, x) lie in the domain.
template <class One>
FFDP_HD inline bool fits(const One& s, const Box& domain, int z, int y, int x) {
  return z + s.lo[0] >= domain.lo[0] && z + s.hi[0] < domain.hi[0] && y + s.lo[1] >= domain.lo[1] &&
         y + s.hi[1] < domain.hi[1] && x + s.lo[2] >= domain.lo[2] && x + s.hi[2] < domain.hi[2];
}

/// The difference at the voxel of which `at` is the value.
template <class T, class One>
FFDP_HD inline T difference(const One& s, const T* at) {
  T d = 0;
  for (int t = 0; t < s.taps; ++t) d += s.coefficient[t] * at[s.offset[t]];
  return d;
}

/// What the stencils at (z, y, x) add to the energy.
template <class T>
FFDP_HD inline double energy(const Flat<T>& flat, const View<const T>& u, int z, int y, int x) {
  const bool inner = flat.inner.contains(z, y, x);
  const T* const at = &u(z, y, x);
  T sum = 0;
  for (int k = 0; k < flat.stencils; ++k) {
    const auto& s = flat.stencil[k];
    if (!inner && !fits(s, flat.domain, z, y, x)) continue;
    const T d = difference(s, at);
    sum += s.weight * (flat.squared ? d * d : d < 0 ? -d : d);
  }
  return double(sum);
}

/// Derivative of the energy w.r.t. u(z, y, x), from all stencils that have a tap there.
template <class T>
FFDP_HD inline T energy_vjp(const Flat<T>& flat, const View<const T>& u, int z, int y, int x) {
  const bool inner = flat.inner.contains(z, y, x);
  const T* const at = &u(z, y, x);
  T sum = 0;
  if (inner && flat.squared) {
    const T own = *at;
    for (int k = 0; k < flat.weights; ++k) sum += flat.weight[k] * (at[flat.offset[k]] - own);
    return sum;
  }
  for (int k = 0; k < flat.stencils; ++k) {
    const auto& s = flat.stencil[k];
    T part = 0;
    for (int t = 0; t < s.taps; ++t) {
      const Int3& o = s.at[t];
      if (!inner && !fits(s, flat.domain, z - o[0], y - o[1], x - o[2])) continue;
      const T d = difference(s, at - s.offset[t]);
      part += s.coefficient[t] * (flat.squared ? 2 * d : T((d > 0) - (d < 0)));
    }
    sum += s.weight * part;
  }
  return sum;
}

}  // namespace ffdp::differences
