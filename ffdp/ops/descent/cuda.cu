// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include "ffdp/ops/adam/math.hpp"
#include "ffdp/ops/common/edge_factors.cuh"
#include "ffdp/ops/compose/sample.cuh"
#include "ffdp/ops/descent/backends.hpp"
#include "ffdp/ops/descent/math.hpp"
#include "ffdp/ops/smooth/backends.hpp"

namespace ffdp::descent::cuda {
namespace {

using adam::SecondMoment;
using device::run_x;
enum Slot { smoothed_slot = 10, parts_slot = 11 };  // below: those of smooth
constexpr int widest_fused = 4;                     // beyond, registers spill

/// Sum of squares, and the largest squared length.
struct Part {
  double squares = 0;
  float longest = 0;
  __device__ void operator+=(const Part& other) {
    squares += other.squares;
    longest = fmaxf(longest, other.longest);
  }
};
struct Take {
  Sums* sums;
  __device__ void operator()(const Part& part) const {
    sums->squares += part.squares;
    sums->longest = fmaxf(sums->longest, sqrtf(part.longest));
  }
};

/// How a second moment is stored: Half holds its root.
template <class T>
__device__ float second_from(T stored) {
  return to_float(stored);
}
template <>
__device__ float second_from(Half stored) {
  const float root = to_float(stored);
  return root * root;
}
template <class T>
__device__ T second_to(float value) {
  return value;
}
template <>
__device__ Half second_to(float value) {
  return from_float<Half>(sqrtf(value));
}

/// Up to four values of a row in one access where the address allows it.
template <class T>
struct alignas(4 * sizeof(T)) Four {
  T v[4];
};
template <class T>
__device__ void load_four(const T* from, int n, T (&v)[4]) {
  if (n == 4 && reinterpret_cast<std::uintptr_t>(from) % sizeof(Four<T>) == 0) {
    const auto four = *reinterpret_cast<const Four<T>*>(from);
#pragma unroll
    for (int i = 0; i < 4; ++i) v[i] = four.v[i];
    return;
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) v[i] = i < n ? from[i] : T{};
}
template <class T>
__device__ void store_four(T* to, int n, const T (&v)[4]) {
  if (n == 4 && reinterpret_cast<std::uintptr_t>(to) % sizeof(Four<T>) == 0) {
    Four<T> four;
#pragma unroll
    for (int i = 0; i < 4; ++i) four.v[i] = v[i];
    *reinterpret_cast<Four<T>*>(to) = four;
    return;
  }
#pragma unroll
  for (int i = 0; i < 4; ++i)
    if (i < n) to[i] = v[i];
}

/// Smoothed gradients -> moments. Reads the moments from the second iteration on, writes them.
template <class T, SecondMoment kind>
struct Advance {
  static constexpr int seconds = adam::second_components(kind);
  adam::Constants<float> c;
  Moments<T> moments;
  bool first;

  __device__ void operator()(int z, int y, int x, int n, const float (&g)[3][run_x],
                             Part& part) const {
    T* m_at = &moments.first[0](z, y, x);
    T* v_at = seconds ? &moments.second[0](z, y, x) : nullptr;
    T m[3][run_x] = {}, v[3][run_x] = {};
    if (!first) {
#pragma unroll
      for (int k = 0; k < 3; ++k) {
        load_four(m_at + k * moments.first.stride_c, n, m[k]);
        if (k < seconds) load_four(v_at + k * moments.second.stride_c, n, v[k]);
      }
    }
    float squares = 0;
#pragma unroll
    for (int i = 0; i < run_x; ++i) {
      if (i >= n) continue;
      const float one[3] = {g[0][i], g[1][i], g[2][i]};
      float m_one[3], v_one[3], d[3];
#pragma unroll
      for (int k = 0; k < 3; ++k) {
        m_one[k] = to_float(m[k][i]);
        v_one[k] = second_from(v[k][i]);
      }
      adam::advance<kind>(c, first, one, m_one, v_one);
      // The direction is that of the moments as stored.
#pragma unroll
      for (int k = 0; k < 3; ++k) {
        m[k][i] = from_float<T>(m_one[k]);
        m_one[k] = to_float(m[k][i]);
        if (k >= seconds) continue;
        v[k][i] = second_to<T>(v_one[k]);
        v_one[k] = second_from(v[k][i]);
      }
      part.longest = fmaxf(part.longest, adam::directions<kind>(c, m_one, v_one, d));
      squares += one[0] * one[0] + one[1] * one[1] + one[2] * one[2];
    }
    part.squares += double{squares};
#pragma unroll
    for (int k = 0; k < 3; ++k) {
      store_four(m_at + k * moments.first.stride_c, n, m[k]);
      if (k < seconds) store_four(v_at + k * moments.second.stride_c, n, v[k]);
    }
  }
};

/// Smoothing with Advance at its end. Reads 28 and writes 16 B/voxel with `vector` in float.
template <class T, SecondMoment kind>
struct Smoothing {
  static constexpr int quantities = 3, raws = 3, values = 3;
  template <int R>
  static constexpr int chunk = R <= 3 ? device::run_y : 4;
  template <int R>
  static constexpr int blocks = R <= 3 ? 2 : 1;
  using Sum = Part;
  VectorView<const float> grad;
  device::EdgeFactors edge;
  Advance<T, kind> advance;

  FFDP_HD View<const float> view(int, int k) const { return grad[k]; }
  __device__ void prepare(int, int, int, bool inside, const float (&raw)[3],
                          float (&value)[3]) const {
#pragma unroll
    for (int k = 0; k < 3; ++k) value[k] = inside ? raw[k] : 0.0F;
  }
  __device__ float quantity(int q, const float (&value)[3]) const { return value[q]; }
  __device__ void emit(int, int z, int y, int x, int n, const float (&s)[3][run_x],
                       Part& part) const {
    float g[3][run_x];
    const float plane = edge(0, z) * edge(1, y);
#pragma unroll
    for (int i = 0; i < run_x; ++i) {
      const float factor = i < n ? plane * edge(2, x + i) : 0.0F;
#pragma unroll
      for (int k = 0; k < 3; ++k) g[k][i] = s[k][i] * factor;
    }
    advance(z, y, x, n, g, part);
  }
};

/// The direction at a voxel.
template <class T, SecondMoment kind>
struct Directions {
  adam::Constants<float> c;
  Moments<T> moments;
  /// Returns the squared length.
  __device__ float operator()(int z, int y, int x, float (&d)[3]) const {
    float m[3], v[3] = {};
    const T* m_at = &moments.first[0](z, y, x);
#pragma unroll
    for (int k = 0; k < 3; ++k) {
      m[k] = to_float(m_at[k * moments.first.stride_c]);
      if (k < adam::second_components(kind)) v[k] = second_from(moments.second[k](z, y, x));
    }
    return adam::directions<kind>(c, m, v, d);
  }
};

template <class T, SecondMoment kind>
void update_kind(Context& ctx, const adam::Params& p, const smooth::Params& smoothing,
                 const Box& domain, const Box& compute, VectorView<const float> grad,
                 const Moments<T>& moments, Sums* sums) {
  const Advance<T, kind> advance{adam::constants(p), moments, p.iteration == 1};
  const Int3 radius = smooth::halo(smoothing);
  if (std::max({radius[0], radius[1], radius[2]}) > widest_fused) {
    const std::int64_t volume = compute.volume();
    const VectorView<float> smoothed{ctx.scratch<float>(smoothed_slot, 3 * volume), compute, volume,
                                     std::int64_t{compute.size(1)} * compute.size(2),
                                     compute.size(2)};
    smooth::cuda::forward(ctx, smoothing, domain, compute, grad, smoothed);
    const auto one = [=] __device__(int z, int y, int x, Part& part) {
      float g[3][run_x] = {};
      for (int k = 0; k < 3; ++k) g[k][0] = smoothed[k](z, y, x);
      advance(z, y, x, 1, g, part);
    };
    device::sum_voxels<Part>(ctx, compute, one, Take{sums});
    return;
  }
  std::vector<float> taps[3];
  for (int a = 0; a < 3; ++a) taps[a] = gaussian_taps(smoothing.sigma[a]);
  const device::Stencil3 stencil(taps, domain);
  const Smoothing<T, kind> op{grad, stencil.edge, advance};
  const device::March m = device::march_of(compute, 1);
  Part* parts = ctx.scratch<Part>(parts_slot, m.blocks());
  const Box readable = intersect(grow(compute, radius), domain);
  device::with_radius<widest_fused>(stencil.radius, [&]<int R>() {
    device::march<R, device::Stencil::weighted>(ctx, m, op, stencil.weights, readable, compute,
                                                parts);
  });
  device::finish_sum(ctx, parts, m.blocks(), Take{sums});
}

template <class T, SecondMoment kind>
void longest_kind(Context& ctx, const adam::Params& p, const Box& compute,
                  const Moments<T>& moments, Sums* sums) {
  const Directions<T, kind> directions{adam::constants(p), moments};
  const auto one = [=] __device__(int z, int y, int x, Part& part) {
    float d[3];
    part.longest = fmaxf(part.longest, directions(z, y, x, d));
  };
  device::sum_voxels<Part>(ctx, compute, one, Take{sums});
}

template <class T, SecondMoment kind>
void compose_kind(Context& ctx, const adam::Params& p, const Step& step, const Box& domain,
                  const Box& compute, const Moments<T>& moments, const Sums* sums,
                  VectorView<const float> u, VectorView<float> out) {
  const Directions<T, kind> directions{adam::constants(p), moments};
  const compose::Composer composer{domain, u};
  const Ramp ramp{domain, step.face_ramp};
  const auto length = static_cast<float>(step.length), least = static_cast<float>(step.least);
  const auto make = [=] __device__(int z, int y, int x) {
    float d[3];
    directions(z, y, x, d);
    const float k =
        step_scale(length, least, sums->longest) * (ramp(0, z) * ramp(1, y) * ramp(2, x));
    return composer(z, y, x, k * d[0], k * d[1], k * d[2]);
  };
  const auto put = [=] __device__(int z, int y, int x, const device::Vector3& result) {
    float* to = out.data + out[0].offset(z, y, x);
#pragma unroll
    for (int c = 0; c < 3; ++c) to[c * out.stride_c] = result.v[c];
  };
  device::for_each_voxel(ctx, compute, make, put);
}

}  // namespace

template <class T>
void update(Context& ctx, const adam::Params& p, const smooth::Params& smoothing, Box domain,
            Box compute, VectorView<const float> grad, const Moments<T>& moments, Sums* sums) {
  adam::with_second_moment(p.second_moment, [&]<SecondMoment kind>() {
    update_kind<T, kind>(ctx, p, smoothing, domain, compute, grad, moments, sums);
  });
}

template <class T>
void longest(Context& ctx, const adam::Params& p, Box, Box compute, const Moments<T>& moments,
             Sums* sums) {
  adam::with_second_moment(p.second_moment, [&]<SecondMoment kind>() {
    longest_kind<T, kind>(ctx, p, compute, moments, sums);
  });
}

template <class T>
void compose(Context& ctx, const adam::Params& p, const Step& step, Box domain, Box compute,
             const Moments<T>& moments, const Sums* sums, VectorView<const float> u,
             VectorView<float> out) {
  adam::with_second_moment(p.second_moment, [&]<SecondMoment kind>() {
    compose_kind<T, kind>(ctx, p, step, domain, compute, moments, sums, u, out);
  });
}

template void update(Context&, const adam::Params&, const smooth::Params&, Box, Box,
                     VectorView<const float>, const Moments<float>&, Sums*);
template void update(Context&, const adam::Params&, const smooth::Params&, Box, Box,
                     VectorView<const float>, const Moments<Half>&, Sums*);
template void longest(Context&, const adam::Params&, Box, Box, const Moments<float>&, Sums*);
template void longest(Context&, const adam::Params&, Box, Box, const Moments<Half>&, Sums*);
template void compose(Context&, const adam::Params&, const Step&, Box, Box, const Moments<float>&,
                      const Sums*, VectorView<const float>, VectorView<float>);
template void compose(Context&, const adam::Params&, const Step&, Box, Box, const Moments<Half>&,
                      const Sums*, VectorView<const float>, VectorView<float>);

}  // namespace ffdp::descent::cuda
