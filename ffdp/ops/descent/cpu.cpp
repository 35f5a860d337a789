// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "ffdp/core/parallel.hpp"
#include "ffdp/ops/common/slots.hpp"
#include "ffdp/ops/compose/backends.hpp"
#include "ffdp/ops/descent/backends.hpp"
#include "ffdp/ops/descent/math.hpp"
#include "ffdp/ops/smooth/backends.hpp"

namespace ffdp::descent {
namespace {

enum Slot { smoothed_slot = outer_slots };

struct Part {
  float longest = 0;  // squared
  Part& operator+=(const Part& other) {
    longest = std::max(longest, other.longest);
    return *this;
  }
};

/// The rows of the moments at (z, y); absent components point to a present one.
template <SecondMoment kind>
struct Rows {
  float *m0, *m1, *m2, *v0, *v1, *v2;
  Rows(const Moments<float>& moments, int z, int y)
      : m0(moments.first[0].row(z, y)),
        m1(moments.first[1].row(z, y)),
        m2(moments.first[2].row(z, y)),
        v0(second_components(kind) > 0 ? moments.second[0].row(z, y) : m0),
        v1(second_components(kind) > 1 ? moments.second[1].row(z, y) : m0),
        v2(second_components(kind) > 1 ? moments.second[2].row(z, y) : m0) {}
  void load(int x, float (&m)[3], float (&v)[3]) const {
    m[0] = m0[x];
    m[1] = m1[x];
    m[2] = m2[x];
    v[0] = v0[x];
    v[1] = v1[x];
    v[2] = v2[x];
  }
};

/// Moments are read only from the second iteration on, so the first may find them uninitialised.
template <Iteration iteration, SecondMoment kind>
Part advance_all(Context& ctx, const Constants<float>& c, const Box& compute,
                 VectorView<const float> grad, const Moments<float>& moments) {
  return parallel_sum<Part>(ctx, compute.size(0), [&](std::int64_t i, int) {
    const int z = compute.lo[0] + static_cast<int>(i);
    Part part;
    for (int y = compute.lo[1]; y < compute.hi[1]; ++y) {
      const float *g0 = grad[0].row(z, y), *g1 = grad[1].row(z, y), *g2 = grad[2].row(z, y);
      const Rows<kind> to(moments, z, y);
      float longest = 0;
#pragma omp simd reduction(max : longest)
      for (int x = compute.lo[2]; x < compute.hi[2]; ++x) {
        const float g[3] = {g0[x], g1[x], g2[x]};
        float m[3] = {}, v[3] = {}, d[3];
        if constexpr (iteration == Iteration::later) to.load(x, m, v);
        advance<kind>(c, iteration, g, m, v);
        to.m0[x] = m[0];
        to.m1[x] = m[1];
        to.m2[x] = m[2];
        if constexpr (second_components(kind) > 0) to.v0[x] = v[0];
        if constexpr (second_components(kind) > 1) {
          to.v1[x] = v[1];
          to.v2[x] = v[2];
        }
        const float length = directions<kind>(c, m, v, d);
        longest = length > longest ? length : longest;
      }
      part += Part{longest};
    }
    return part;
  });
}

template <SecondMoment kind>
Part longest_of(Context& ctx, const Constants<float>& c, const Box& compute,
                const Moments<float>& moments) {
  return parallel_sum<Part>(ctx, compute.size(0), [&](std::int64_t i, int) {
    const int z = compute.lo[0] + static_cast<int>(i);
    float longest = 0;
    for (int y = compute.lo[1]; y < compute.hi[1]; ++y) {
      const Rows<kind> from(moments, z, y);
#pragma omp simd reduction(max : longest)
      for (int x = compute.lo[2]; x < compute.hi[2]; ++x) {
        float m[3], v[3], d[3];
        from.load(x, m, v);
        const float length = directions<kind>(c, m, v, d);
        longest = length > longest ? length : longest;
      }
    }
    return Part{longest};
  });
}

void take(const Part& part, Sums* sums) {
  sums->longest = std::max(sums->longest, std::sqrt(part.longest));
}

}  // namespace

template <>
template <>
void On<Backend::cpu>::update(Context& ctx, const Params& p, const smooth::Params& smoothing,
                              Box domain, Box compute, VectorView<const float> grad,
                              const Moments<float>& moments, Sums* sums) {
  const std::int64_t volume = compute.volume();
  const auto smoothed = dense_vectors(ctx.scratch<float>(smoothed_slot, 3 * volume), compute);
  smooth::On<Backend::cpu>::forward(ctx, smoothing, domain, compute, grad, smoothed);
  const auto c = constants(p);
  take(with_second_moment(
           p.second_moment,
           [&]<SecondMoment kind>() {
             return p.iteration == 1
                        ? advance_all<Iteration::first, kind>(ctx, c, compute, smoothed, moments)
                        : advance_all<Iteration::later, kind>(ctx, c, compute, smoothed, moments);
           }),
       sums);
}

template <>
template <>
void On<Backend::cpu>::longest(Context& ctx, const Params& p, Box, Box compute,
                               const Moments<float>& moments, Sums* sums) {
  const auto c = constants(p);
  take(with_second_moment(
           p.second_moment,
           [&]<SecondMoment kind>() { return longest_of<kind>(ctx, c, compute, moments); }),
       sums);
}

template <>
template <>
void On<Backend::cpu>::compose(Context& ctx, const Params& p, const Step& step, Box domain,
                               Box compute, const Moments<float>& moments,
                               VectorView<const float> u, VectorView<float> out) {
  const auto c = constants(p);
  const Ramp ramp{domain, step.face_ramp};
  with_second_moment(p.second_moment, [&]<SecondMoment kind>() {
    parallel_for(ctx, compute.size(0), [&](std::int64_t i, int) {
      const int z = compute.lo[0] + static_cast<int>(i);
      for (int y = compute.lo[1]; y < compute.hi[1]; ++y) {
        const Rows<kind> from(moments, z, y);
        float *s0 = out[0].row(z, y), *s1 = out[1].row(z, y), *s2 = out[2].row(z, y);
        const float row = ramp(0, z) * ramp(1, y);
#pragma omp simd
        for (int x = compute.lo[2]; x < compute.hi[2]; ++x) {
          float m[3], v[3], d[3];
          from.load(x, m, v);
          directions<kind>(c, m, v, d);
          const float factor = row * ramp(2, x);
          s0[x] = factor * d[0];
          s1[x] = factor * d[1];
          s2[x] = factor * d[2];
        }
      }
    });
  });
  const compose::Params composition{
      .scale = step_scale(static_cast<float>(step.length), static_cast<float>(step.least),
                          step.sums->longest),
      .max_step = 1};
  compose::On<Backend::cpu>::forward(ctx, composition, domain, compute, out, u, out);
}

}  // namespace ffdp::descent
