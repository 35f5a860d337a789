// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <utility>

#include "ffdp/ops/differences/math.hpp"

/// Stencils that are known when this is compiled. Away from the faces of the domain, where all of
/// them fit, the loops over taps unroll, each neighbour is read once, and its offset is a constant.
namespace ffdp::differences {

struct Tap {
  int z, y, x;
  double coefficient;
};

/// A tap at two steps, along axes a and b.
constexpr Tap tap_of(int a, int step_a, int b, int step_b, double coefficient) {
  int o[3] = {};
  o[a] += step_a;
  o[b] += step_b;
  return {o[0], o[1], o[2], coefficient};
}

/// Forward differences along z, y, x.
struct Gradient {
  static constexpr int stencils = 3, reach = 1;
  static constexpr int taps(int) { return 2; }
  static constexpr Tap tap(int s, int t) { return tap_of(s, 1 - t, s, 0, t ? -1 : 1); }
};

/// Second differences zz, zy, zx, yy, yx, xx. The pure ones are [1, -2, 1], with a step of one
/// voxel, or a quarter of it, with a step of two.
template <int step>
struct Second {
  static constexpr int stencils = 6, reach = 2 * step;
  static constexpr int first(int s) { return s < 3 ? 0 : s < 5 ? 1 : 2; }
  static constexpr int second(int s) { return s < 3 ? s : s < 5 ? s - 2 : 2; }
  static constexpr int taps(int s) { return first(s) == second(s) ? 3 : 4; }
  static constexpr Tap tap(int s, int t) {
    constexpr double unit = step == 1 ? 1 : 0.25;
    const int a = first(s), b = second(s);
    if (a == b) return tap_of(a, step * (1 - t), a, 0, t == 1 ? -2 * unit : unit);
    return tap_of(a, t < 2 ? 1 : -1, b, t % 2 ? -1 : 1, t == 0 || t == 3 ? 0.25 : -0.25);
  }
};

/// How far from a voxel lie the taps of the differences that have tap t there.
template <class One>
int span(const One& s, int t) {
  const int o[3] = {s.z[t], s.y[t], s.x[t]};
  int most = 0;
  for (int a = 0; a < 3; ++a) most = std::max({most, o[a] - s.lo[a], s.hi[a] - o[a]});
  return most;
}

/// Whether the stencils are these, in this order. Further taps must have the coefficient 0 and lie
/// within the reach.
template <class Known, class T>
bool are(const Flat<T>& flat) {
  if (flat.stencils != Known::stencils) return false;
  for (int s = 0; s < Known::stencils; ++s) {
    const auto& given = flat.stencil[s];
    if (given.taps < Known::taps(s)) return false;
    for (int t = 0; t < given.taps; ++t) {
      const bool further = t >= Known::taps(s);
      const Tap known = further ? Tap{given.z[t], given.y[t], given.x[t], 0} : Known::tap(s, t);
      if (given.coefficient[t] != static_cast<T>(known.coefficient) || given.z[t] != known.z ||
          given.y[t] != known.y || given.x[t] != known.x)
        return false;
      if (!further && span(given, t) > Known::reach) return false;
    }
  }
  return true;
}

/// Calls body.operator()<i>() for i = 0 to n - 1.
template <int n, class Body>
FFDP_HD inline void unrolled(const Body& body) {
  [&]<int... i>(std::integer_sequence<int, i...>) {
    (body.template operator()<i>(), ...);
  }(std::make_integer_sequence<int, n>{});
}

/// The difference s at the voxel of which `at` is the value, `shift` away from it.
template <class Known, int s, class T>
FFDP_HD inline T known_difference(const T* at, std::int64_t stride_z, std::int64_t stride_y,
                                  Tap shift) {
  T d = 0;
  unrolled<Known::taps(s)>([&]<int t>() {
    constexpr Tap tap = Known::tap(s, t);
    d += static_cast<T>(tap.coefficient) *
         at[(shift.z + tap.z) * stride_z + (shift.y + tap.y) * stride_y + (shift.x + tap.x)];
  });
  return d;
}

/// As energy and energy_vjp.
template <class Known, class T>
struct Unrolled {
  Flat<T> flat;
  Box domain, inner;  ///< inner: where all stencils fit that have a tap there

  Unrolled(const Flat<T>& same, const Box& whole)
      : flat(same), domain(whole), inner(grow(whole, Int3{-reach, -reach, -reach})) {}
  FFDP_HD double energy(const View<const T>& u, int z, int y, int x) const {
    if (!inner.contains(z, y, x)) return differences::energy(flat, domain, u, z, y, x);
    const T* const at = &u(z, y, x);
    T sum = 0;
    unrolled<Known::stencils>([&]<int s>() {
      const T d = known_difference<Known, s>(at, u.stride_z, u.stride_y, {});
      sum += flat.stencil[s].weight * (flat.squared ? d * d : d < 0 ? -d : d);
    });
    return double(sum);
  }
  FFDP_HD T energy_vjp(const View<const T>& u, int z, int y, int x) const {
    if (!inner.contains(z, y, x)) return differences::energy_vjp(flat, domain, u, z, y, x);
    const T* const at = &u(z, y, x);
    T sum = 0;
    unrolled<Known::stencils>([&]<int s>() {
      T part = 0;
      unrolled<Known::taps(s)>([&]<int t>() {
        constexpr Tap tap = Known::tap(s, t);
        const T d =
            known_difference<Known, s>(at, u.stride_z, u.stride_y, {-tap.z, -tap.y, -tap.x, 0});
        part += static_cast<T>(tap.coefficient) * slope(flat.squared, d);
      });
      sum += flat.stencil[s].weight * part;
    });
    return sum;
  }

 private:
  static constexpr int reach = Known::reach;
};

/// Stencils of any kind, with the interface of Unrolled.
template <class T>
struct Looped {
  Flat<T> flat;
  Box domain;
  FFDP_HD double energy(const View<const T>& u, int z, int y, int x) const {
    return differences::energy(flat, domain, u, z, y, x);
  }
  FFDP_HD T energy_vjp(const View<const T>& u, int z, int y, int x) const {
    return differences::energy_vjp(flat, domain, u, z, y, x);
  }
};

/// Calls body(stencils) with the fastest of the types above.
template <class T, class Body>
void with_stencils(const Params& p, const Box& domain, const Body& body) {
  const Flat<T> flat = flat_of<T>(p);
  if (are<Gradient>(flat)) return body(Unrolled<Gradient, T>(flat, domain));
  if (are<Second<1>>(flat)) return body(Unrolled<Second<1>, T>(flat, domain));
  if (are<Second<2>>(flat)) return body(Unrolled<Second<2>, T>(flat, domain));
  body(Looped<T>{flat, domain});
}

}  // namespace ffdp::differences
