// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "ffdp/core/field.hpp"
#include "ffdp/core/parallel.hpp"
#include "ffdp/ops/correlation/backends.hpp"
#include "ffdp/ops/correlation/math.hpp"

namespace ffdp::correlation {
namespace {

constexpr int slab_planes = 32;  ///< memory: 9 fields of doubles of so many planes and their halos

/// body(z, y) for every row of the box, on all threads.
template <class Body>
void for_each_row(const Context& ctx, const Box& box, Body&& body) {
  parallel_for(ctx, std::int64_t{box.size(0)} * box.size(1), [&](std::int64_t row, int) {
    body(box.lo[0] + static_cast<int>(row / box.size(1)),
         box.lo[1] + static_cast<int>(row % box.size(1)));
  });
}

/// Weighted sums along one axis; what `in` does not store counts as 0.
void filter(const Context& ctx, const std::vector<double>& taps, int axis, View<const double> in,
            View<double> out) {
  const int radius = static_cast<int>(taps.size()) / 2;
  const Box& box = out.stored;
  for_each_row(ctx, box, [&](int z, int y) {
    double* to = out.row(z, y);
    std::fill(to + box.lo[2], to + box.hi[2], 0.0);
    for (int k = -radius; k <= radius; ++k) {
      const double tap = taps[k + radius];
      const int from_z = axis == 0 ? z + k : z, from_y = axis == 1 ? y + k : y;
      if (from_z < in.stored.lo[0] || from_z >= in.stored.hi[0] || from_y < in.stored.lo[1] ||
          from_y >= in.stored.hi[1])
        continue;
      const int shift = axis == 2 ? k : 0;
      const double* from = in.row(from_z, from_y) + shift;
      const int lo = std::max(box.lo[2], in.stored.lo[2] - shift);
      const int hi = std::min(box.hi[2], in.stored.hi[2] - shift);
      for (int x = lo; x < hi; ++x) to[x] += tap * from[x];
    }
  });
}

/// Memory that three_axes needs besides its result.
struct Passes {
  Passes(const Box& readable, const Box& out)
      : values(Backend::cpu, readable), rows_box(readable), planes_box(out) {
    rows_box.lo[2] = out.lo[2];
    rows_box.hi[2] = out.hi[2];
    planes_box.lo[0] = readable.lo[0];
    planes_box.hi[0] = readable.hi[0];
    rows = Field<double>(Backend::cpu, rows_box);
    planes = Field<double>(Backend::cpu, planes_box);
  }
  Field<double> values, rows, planes;
  Box rows_box, planes_box;
};

/// Window sums of value(z, y, x) over the voxels of `passes.values`.
template <class Value>
void window_sums(const Context& ctx, const Params& p, Passes& passes, const Value& value,
                 View<double> out) {
  const Box& box = passes.values.stored();
  const View<double> values = passes.values;
  for_each_row(ctx, box, [&](int z, int y) {
    double* to = values.row(z, y);
    for (int x = box.lo[2]; x < box.hi[2]; ++x) to[x] = value(z, y, x);
  });
  filter(ctx, p.taps[2], 2, values, passes.rows);
  filter(ctx, p.taps[1], 1, passes.rows, passes.planes);
  filter(ctx, p.taps[0], 0, passes.planes, out);
}

template <class T>
struct Slab {
  const Params& p;
  Box domain, compute;  ///< compute: of the slab
  View<const T> fixed, warped, weight;
  const Outputs<T>& out;

  Box windows() const {
    return out.grad ? intersect(grow(compute, {reach(p, 0), reach(p, 1), reach(p, 2)}), domain)
                    : compute;
  }

  /// Turns the five sums of each window into cc, a, b, d.
  MetricSum emit(Context& ctx, Field<double> (&sums)[5]) const {
    const Rule<double> rule = rule_of<double>(p);
    const Box box = windows();
    return parallel_sum<MetricSum>(ctx, box.size(0), [&](std::int64_t plane, int) {
      MetricSum sum;
      const int z = box.lo[0] + static_cast<int>(plane);
      for (int y = box.lo[1]; y < box.hi[1]; ++y)
        for (int x = box.lo[2]; x < box.hi[2]; ++x) {
          const std::int64_t i = sums[0].view().offset(z, y, x);
          double* at[5];
          for (int q = 0; q < 5; ++q) at[q] = sums[q].data() + i;
          const auto t = terms(rule, *at[0], *at[1], *at[2], *at[3], *at[4]);
          const bool ours = compute.contains(z, y, x);
          const double w = !weight || !(ours || out.grad) ? 1.0 : double(weight(z, y, x));
          *at[0] = w * t.a;
          *at[1] = w * t.b;
          *at[2] = w * t.d;
          if (!ours) continue;
          sum += {w * t.cc, w};
          if (out.map) out.map(z, y, x) = static_cast<T>(t.cc);
        }
      return sum;
    });
  }

  MetricSum run(Context& ctx) const {
    const Box box = windows();
    Field<double> sums[5];
    {
      Passes passes(intersect(grow(box, {reach(p, 0), reach(p, 1), reach(p, 2)}), domain), box);
      for (int q = 0; q < 5; ++q) {
        sums[q] = Field<double>(Backend::cpu, box);
        window_sums(
            ctx, p, passes,
            [&](int z, int y, int x) {
              const double f = fixed(z, y, x), m = warped(z, y, x);
              return q == 0 ? f : q == 1 ? m : q == 2 ? f * f : q == 3 ? m * m : f * m;
            },
            sums[q]);
      }
    }
    const MetricSum sum = emit(ctx, sums);
    if (out.grad) gradient(ctx, sums);
    return sum;
  }

  /// F W^T a - M W^T b + W^T d. The sum is in double, because the terms nearly cancel for
  /// intensities far from 0.
  void gradient(Context& ctx, Field<double> (&sums)[5]) const {
    Passes passes(windows(), compute);
    Field<double> one(Backend::cpu, compute), all(Backend::cpu, compute);
    const View<double> part = one, total = all;
    for (int q = 0; q < 3; ++q) {
      const View<double> from = sums[q];
      window_sums(ctx, p, passes, [&](int z, int y, int x) { return from(z, y, x); }, part);
      for_each_row(ctx, compute, [&](int z, int y) {
        for (int x = compute.lo[2]; x < compute.hi[2]; ++x) {
          const double factor = q == 0   ? double(fixed(z, y, x))
                                : q == 1 ? -double(warped(z, y, x))
                                         : 1.0;
          total(z, y, x) = (q == 0 ? 0.0 : total(z, y, x)) + factor * part(z, y, x);
          if (q == 2) out.grad(z, y, x) = static_cast<T>(total(z, y, x));
        }
      });
    }
  }
};

}  // namespace

/// Sums are in double for any T, so that no centre is needed.
template <>
template <class T>
void On<Backend::cpu>::forward_backward(Context& ctx, const Params& p, Box domain, Box compute,
                                        const Images<T>& images, const T* /*centres*/,
                                        View<const T> weight, const Outputs<T>& outputs) {
  MetricSum sum;
  for (int z = compute.lo[0]; z < compute.hi[0]; z += slab_planes) {
    Box slab = compute;
    slab.lo[0] = z;
    slab.hi[0] = std::min(z + slab_planes, compute.hi[0]);
    sum += Slab<T>{p, domain, slab, images.fixed, images.warped, weight, outputs}.run(ctx);
  }
  if (outputs.sum) *outputs.sum += sum;
}

template decltype(On<Backend::cpu>::forward_backward<float>)
    On<Backend::cpu>::forward_backward<float>;
template decltype(On<Backend::cpu>::forward_backward<double>)
    On<Backend::cpu>::forward_backward<double>;

}  // namespace ffdp::correlation
