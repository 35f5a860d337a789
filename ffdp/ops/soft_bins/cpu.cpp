// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "ffdp/core/parallel.hpp"
#include "ffdp/ops/soft_bins/backends.hpp"
#include "ffdp/ops/soft_bins/math.hpp"

namespace ffdp::soft_bins {
namespace {

enum Slot { parts_slot };

/// The voxels are counted in so many parts, each with a histogram of its own.
constexpr int parts = 64;

/// The weights of one voxel, sum 1.
template <class T>
struct Weights {
  T at;                        // its position [bins]
  std::array<T, most_bins> w;  // from reach.first on
  Reach<T> reach;
  int count;

  Weights(const Axis<T>& axis, T value)
      : at(to_bin(axis, value)),
        reach(reach_of(axis, at, [this](int k, T weight) { w[k] = weight; })),
        count(reach.end - reach.first) {
    for (int k = 0; k < count; ++k) w[k] /= reach.sum;
  }
};

}  // namespace

template <>
template <class T>
void On<Backend::cpu>::accumulate(Context& ctx, const Params& p, std::int64_t n, const T* a,
                                  const T* b, double* joint) {
  const Axis<T> axis_a = axis_of<T>(p, p.range_a), axis_b = axis_of<T>(p, p.range_b);
  const std::size_t cells = static_cast<std::size_t>(p.bins) * p.bins;
  auto* counts = ctx.scratch<double>(parts_slot, cells * parts);
  parallel_for(ctx, parts, [&](std::int64_t part, int) {
    double* mine = counts + cells * part;
    std::fill_n(mine, cells, 0.0);
    for (std::int64_t i = n * part / parts; i < n * (part + 1) / parts; ++i) {
      const Weights<T> of_a(axis_a, a[i]), of_b(axis_b, b[i]);
      for (int j = 0; j < of_a.count; ++j) {
        double* row = mine + static_cast<std::size_t>(of_a.reach.first + j) * p.bins;
        for (int k = 0; k < of_b.count; ++k)
          row[of_b.reach.first + k] += static_cast<double>(of_a.w[j] * of_b.w[k]);
      }
    }
  });
  for (int part = 0; part < parts; ++part)
    for (std::size_t i = 0; i < cells; ++i) joint[i] += counts[cells * part + i];
}

template <>
template <class T>
void On<Backend::cpu>::backward(Context& ctx, const Params& p, std::int64_t n, const T* a,
                                const T* b, const T* table, T* grad_a) {
  const Axis<T> axis_a = axis_of<T>(p, p.range_a), axis_b = axis_of<T>(p, p.range_b);
  const T factor = slope_factor(axis_a) * axis_a.per_unit;
  parallel_for_many(ctx, static_cast<std::size_t>(n), [&](std::size_t i) {
    const Weights<T> of_a(axis_a, a[i]), of_b(axis_b, b[i]);
    const T mean = of_a.reach.moment / of_a.reach.sum;
    T sum = 0;
    for (int j = 0; j < of_a.count; ++j) {
      const T* row = table + static_cast<std::size_t>(of_a.reach.first + j) * p.bins;
      T inner = 0;
      for (int k = 0; k < of_b.count; ++k) inner += of_b.w[k] * row[of_b.reach.first + k];
      sum += of_a.w[j] * (static_cast<T>(of_a.reach.first + j) - of_a.at - mean) * inner;
    }
    grad_a[i] = follows(axis_a, p.ends, a[i]) ? factor * sum : T{0};
  });
}

template decltype(On<Backend::cpu>::accumulate<float>) On<Backend::cpu>::accumulate<float>;
template decltype(On<Backend::cpu>::accumulate<double>) On<Backend::cpu>::accumulate<double>;
template decltype(On<Backend::cpu>::backward<float>) On<Backend::cpu>::backward<float>;
template decltype(On<Backend::cpu>::backward<double>) On<Backend::cpu>::backward<double>;

}  // namespace ffdp::soft_bins
