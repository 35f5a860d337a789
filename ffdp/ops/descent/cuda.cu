// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include "ffdp/ops/common/edge_factors.cuh"
#include "ffdp/ops/common/slots.hpp"
#include "ffdp/ops/common/sweep.cuh"
#include "ffdp/ops/compose/composer.cuh"
#include "ffdp/ops/descent/backends.hpp"
#include "ffdp/ops/descent/math.hpp"
#include "ffdp/ops/smooth/backends.hpp"

namespace ffdp::descent {
namespace {

enum Slot { smoothed_slot = outer_slots, parts_slot };
/// Beyond this reach, fused kernels would spill registers. Smoothing and Adam then run separately,
/// with scratch between them.
constexpr int widest_fused = 4;

/// The largest squared length.
struct Part {
  float longest = 0;
  __device__ void operator+=(const Part& other) { longest = fmaxf(longest, other.longest); }
};
struct Take {
  Sums* sums;
  __device__ void operator()(const Part& part) const {
    sums->longest = fmaxf(sums->longest, root(part.longest));
  }
};

/// Conversion of a stored second moment: Half holds its root.
template <class T>
__device__ float second_from(T stored) {
  return to_float(stored);
}
template <>
__device__ float second_from(Half stored) {
  const float value = to_float(stored);
  return value * value;
}
template <class T>
__device__ T second_to(float value) {
  return value;
}
template <>
__device__ Half second_to(float value) {
  return from_float<Half>(root(value));
}

/// Smoothed gradients -> moments. Reads the moments from the second iteration on, writes them.
template <class T, SecondMoment kind>
struct Advance {
  static constexpr int seconds = second_components(kind);
  Constants<float> c;
  Moments<T> moments;
  Iteration iteration;

  struct Place {
    T *m, *v;
  };
  struct Ahead {
    T m[3][2], v[3][2];
  };
  __device__ Place place(const device::Neighbours& n) const {
    return {&moments.first[0](n.z, n.y, n.x),
            seconds ? &moments.second[0](n.z, n.y, n.x) : nullptr};
  }
  __device__ void next_plane(Place& p) const {
    p.m += moments.first.stride_z;
    if (seconds) p.v += moments.second.stride_z;
  }
  __device__ Ahead ahead(const Place& p, const device::Neighbours& n) const {
    Ahead a{};
    if (iteration == Iteration::first) return a;
#pragma unroll
    for (int k = 0; k < 3; ++k) {
      device::load_pair(p.m + k * moments.first.stride_c, n.skip, n.end, n.full, a.m[k]);
      if (k < seconds)
        device::load_pair(p.v + k * moments.second.stride_c, n.skip, n.end, n.full, a.v[k]);
    }
    return a;
  }
  __device__ void operator()(const Place& p, const device::Neighbours& n, const float (&g)[3][2],
                             Ahead a, Part& part) const {
    auto& [m, v] = a;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      if (i < n.skip || i >= n.end) continue;
      const float one[3] = {g[0][i], g[1][i], g[2][i]};
      float m_one[3], v_one[3], d[3];
#pragma unroll
      for (int k = 0; k < 3; ++k) {
        m_one[k] = to_float(m[k][i]);
        v_one[k] = second_from(v[k][i]);
      }
      advance<kind>(c, iteration, one, m_one, v_one);
      // The direction is computed from the moments as stored.
#pragma unroll
      for (int k = 0; k < 3; ++k) {
        m[k][i] = from_float<T>(m_one[k]);
        m_one[k] = to_float(m[k][i]);
        if (k >= seconds) continue;
        v[k][i] = second_to<T>(v_one[k]);
        v_one[k] = second_from(v[k][i]);
      }
      part.longest = fmaxf(part.longest, directions<kind>(c, m_one, v_one, d));
    }
#pragma unroll
    for (int k = 0; k < 3; ++k) {
      device::store_pair(p.m + k * moments.first.stride_c, n.skip, n.end, n.full, m[k]);
      if (k < seconds)
        device::store_pair(p.v + k * moments.second.stride_c, n.skip, n.end, n.full, v[k]);
    }
  }
};

/// Smoothing, followed by Advance. Reads 28 and writes 16 B/voxel with `vector` in float.
template <class T, SecondMoment kind>
struct Smoothing {
  static constexpr int quantities = 3, raws = 3, values = 3;
  static constexpr bool missing = false;
  template <int R>
  static constexpr int rows = 1;
  template <int R>
  static constexpr int blocks = 2;
  using Sum = Part;
  VectorView<const float> grad;
  device::EdgeFactors edge;
  float inside;  // where all taps lie inside
  Advance<T, kind> advance;
  bool paired, reads_own;

  using Place = typename Advance<T, kind>::Place;
  using Own = T;
  static constexpr int own = 3 + Advance<T, kind>::seconds;
  FFDP_HD View<const float> view(int k) const { return grad[k]; }
  __device__ float outside(int) const { return 0; }
  __device__ Place place(const device::Neighbours& n) const { return advance.place(n); }
  __device__ void next_plane(Place& p) const { advance.next_plane(p); }
  __device__ const T* own_at(const Place& p, int k) const {
    return k < 3 ? p.m + k * advance.moments.first.stride_c
                 : p.v + (k - 3) * advance.moments.second.stride_c;
  }
  __device__ void prepare(const float (&raw)[3], float (&value)[3]) const {
#pragma unroll
    for (int k = 0; k < 3; ++k) value[k] = raw[k];
  }
  __device__ void add(float factor, const float (&value)[3], float (&sum)[3]) const {
#pragma unroll
    for (int k = 0; k < 3; ++k) sum[k] = fmaf(factor, value[k], sum[k]);
  }
  __device__ void emit(const Place& p, const device::Neighbours& n, const float (&s)[3][2],
                       const device::WindowState& state, const T (&stored)[own + 1][2],
                       Part& part) const {
    float g[3][2];
    const float row = state.whole ? 1.0F : edge(0, n.z) * edge(1, n.y);
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const float factor = state.whole                ? inside
                           : i >= n.skip && i < n.end ? row * edge(2, n.x + i)
                                                      : 0.0F;
#pragma unroll
      for (int k = 0; k < 3; ++k) g[k][i] = s[k][i] * factor;
    }
    typename Advance<T, kind>::Ahead moments{};
#pragma unroll
    for (int k = 0; k < own; ++k)
#pragma unroll
      for (int i = 0; i < 2; ++i)
        (k < 3 ? moments.m[k] : moments.v[k - 3])[i] = reads_own ? stored[k][i] : T{};
    advance(p, n, g, moments, part);
  }
};

/// The direction at a voxel.
template <class T, SecondMoment kind>
struct Directions {
  Constants<float> c;
  Moments<T> moments;
  /// Returns the squared length.
  __device__ float operator()(int z, int y, int x, float (&d)[3]) const {
    float m[3], v[3] = {};
    const T* m_at = &moments.first[0](z, y, x);
#pragma unroll
    for (int k = 0; k < 3; ++k) {
      m[k] = to_float(m_at[k * moments.first.stride_c]);
      if (k < second_components(kind)) v[k] = second_from(moments.second[k](z, y, x));
    }
    return directions<kind>(c, m, v, d);
  }
};

template <class T, SecondMoment kind>
void update_fused(Context& ctx, const Advance<T, kind>& advance, const smooth::Params& smoothing,
                  const Box& domain, const Box& compute, VectorView<const float> grad, Sums* sums) {
  const Moments<T>& moments = advance.moments;
  std::vector<float> taps[3];
  for (int a = 0; a < 3; ++a) taps[a] = gaussian_taps(smoothing.sigma[a]);
  const device::Stencil3 stencil(taps, domain);
  const auto& inside = stencil.edge.factor;
  Smoothing<T, kind> op{grad,    stencil.edge, inside[0][0][0] * inside[1][0][0] * inside[2][0][0],
                        advance, false,        advance.iteration == Iteration::later};
  const Box readable = intersect(grow(compute, smooth::halo(smoothing)), domain);
  device::with_radius<widest_fused>(stencil.radius, [&]<int R>() {
    const device::Sweep<R, Smoothing<T, kind>> shape(domain, compute);
    const auto paired = [&](const VectorView<T>& v) {
      return device::paired_rows(v[0], shape.origin[2]) && v.stride_c % 2 == 0;
    };
    op.paired = paired(moments.first) && (kind == SecondMoment::none || paired(moments.second));
    Part* parts = ctx.scratch<Part>(parts_slot, shape.blocks());
    device::sweep<R, device::Stencil::weighted>(ctx, shape, op, stencil.weights, readable, compute,
                                                parts);
    device::finish_sum(ctx, parts, shape.blocks(), Take{sums});
  });
}

template <class T, SecondMoment kind>
void update_kind(Context& ctx, const Params& p, const smooth::Params& smoothing, const Box& domain,
                 const Box& compute, VectorView<const float> grad, const Moments<T>& moments,
                 Sums* sums) {
  const Advance<T, kind> advance{constants(p), moments,
                                 p.iteration == 1 ? Iteration::first : Iteration::later};
  const Int3 radius = smooth::halo(smoothing);
  if (std::max({radius[0], radius[1], radius[2]}) <= widest_fused)
    return update_fused(ctx, advance, smoothing, domain, compute, grad, sums);
  const std::int64_t volume = compute.volume();
  const auto smoothed = dense_vectors(ctx.scratch<float>(smoothed_slot, 3 * volume), compute);
  smooth::On<Backend::cuda>::forward(ctx, smoothing, domain, compute, grad, smoothed);
  // Two neighbours per thread, with one access if rows allow it.
  const int x_lo = compute.lo[2], width = compute.size(2);
  const auto pairs_of = [&](const auto& v) {
    return device::paired_rows(v[0], x_lo) && v.stride_c % 2 == 0;
  };
  const bool paired = pairs_of(smoothed) && pairs_of(moments.first) &&
                      (kind == SecondMoment::none || pairs_of(moments.second));
  Box pairs = compute;
  pairs.lo[2] = 0;
  pairs.hi[2] = (width + 1) / 2;
  const auto one = [=] __device__(int z, int y, int pair, Part& part) {
    const int x = x_lo + 2 * pair, end = min(2, width - 2 * pair);
    const device::Neighbours two{z, y, x, 0, end, paired && end == 2};
    float g[3][2];
    const auto place = advance.place(two);
    const auto ahead = advance.ahead(place, two);
    for (int k = 0; k < 3; ++k) device::load_pair(&smoothed[k](z, y, x), 0, end, two.full, g[k]);
    advance(place, two, g, ahead, part);
  };
  device::sum_voxels<Part>(ctx, pairs, one, Take{sums});
}

template <class T, SecondMoment kind>
void longest_kind(Context& ctx, const Params& p, const Box& compute, const Moments<T>& moments,
                  Sums* sums) {
  const Directions<T, kind> directions{constants(p), moments};
  const auto one = [=] __device__(int z, int y, int x, Part& part) {
    float d[3];
    part.longest = fmaxf(part.longest, directions(z, y, x, d));
  };
  device::sum_voxels<Part>(ctx, compute, one, Take{sums});
}

/// The steps along the directions: see Step.
template <class T, SecondMoment kind>
struct DirectedSteps {
  Directions<T, kind> directions;
  Ramp ramp;
  float length, least;
  const Sums* sums;
  __device__ float column(int y, int x) const {
    return step_scale(length, least, sums->longest) * ramp(1, y) * ramp(2, x);
  }
  __device__ void operator()(float scale, int z, int y, int x, float (&s)[3]) const {
    directions(z, y, x, s);
    const float k = scale * ramp(0, z);
#pragma unroll
    for (int c = 0; c < 3; ++c) s[c] *= k;
  }
  __device__ void prefetch(int z, int y, int x) const {
    device::prefetch(directions.moments.first, z, y, x);
    if (kind != SecondMoment::none)
      device::prefetch<second_components(kind)>(directions.moments.second, z, y, x);
  }
};

/// Reads 28 and writes 12 B/voxel with `vector` in float; neighbours of u come from the caches.
template <class T, SecondMoment kind>
void compose_kind(Context& ctx, const Params& p, const Step& step, const Box& domain,
                  const Box& compute, const Moments<T>& moments, VectorView<const float> u,
                  VectorView<float> out) {
  const DirectedSteps<T, kind> steps{{constants(p), moments},
                                     {domain, step.face_ramp},
                                     static_cast<float>(step.length),
                                     static_cast<float>(step.least),
                                     step.sums};
  compose::compose_steps(ctx, steps, domain, compute, u, out);
}

}  // namespace

template <>
template <class T>
void On<Backend::cuda>::update(Context& ctx, const Params& p, const smooth::Params& smoothing,
                               Box domain, Box compute, VectorView<const float> grad,
                               const Moments<T>& moments, Sums* sums) {
  with_second_moment(p.second_moment, [&]<SecondMoment kind>() {
    update_kind<T, kind>(ctx, p, smoothing, domain, compute, grad, moments, sums);
  });
}

template <>
template <class T>
void On<Backend::cuda>::longest(Context& ctx, const Params& p, Box, Box compute,
                                const Moments<T>& moments, Sums* sums) {
  with_second_moment(p.second_moment, [&]<SecondMoment kind>() {
    longest_kind<T, kind>(ctx, p, compute, moments, sums);
  });
}

template <>
template <class T>
void On<Backend::cuda>::compose(Context& ctx, const Params& p, const Step& step, Box domain,
                                Box compute, const Moments<T>& moments, VectorView<const float> u,
                                VectorView<float> out) {
  with_second_moment(p.second_moment, [&]<SecondMoment kind>() {
    compose_kind<T, kind>(ctx, p, step, domain, compute, moments, u, out);
  });
}

template decltype(On<Backend::cuda>::update<float>) On<Backend::cuda>::update<float>;
template decltype(On<Backend::cuda>::update<Half>) On<Backend::cuda>::update<Half>;
template decltype(On<Backend::cuda>::longest<float>) On<Backend::cuda>::longest<float>;
template decltype(On<Backend::cuda>::longest<Half>) On<Backend::cuda>::longest<Half>;
template decltype(On<Backend::cuda>::compose<float>) On<Backend::cuda>::compose<float>;
template decltype(On<Backend::cuda>::compose<Half>) On<Backend::cuda>::compose<Half>;

}  // namespace ffdp::descent
