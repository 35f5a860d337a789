// SPDX-License-Identifier: Apache-2.0
#include "ffdp/core/parallel.hpp"
#include "ffdp/ops/intensity/backends.hpp"
#include "ffdp/ops/intensity/math.hpp"

namespace ffdp::intensity {
namespace {

enum Slot { counts_slot };

/// body(z, y) for the rows of the box, on all threads.
template <class Body>
void for_rows(const Context& ctx, const Box& box, Body&& body) {
  parallel_for(ctx, box.size(0), [&](std::int64_t i, int) {
    for (int y = box.lo[1]; y < box.hi[1]; ++y) body(box.lo[0] + static_cast<int>(i), y);
  });
}

/// out(z, y, x) = value(in(z, y, x)) over the box.
template <class In, class Out, class Value>
void map_voxels(const Context& ctx, const Box& box, View<In> in, View<Out> out, Value&& value) {
  for_rows(ctx, box, [&](int z, int y) {
    In* from = in.row(z, y);
    Out* to = out.row(z, y);
#pragma omp simd
    for (int x = box.lo[2]; x < box.hi[2]; ++x) to[x] = value(from[x]);
  });
}

/// Sums over the counted voxels of what body(z, y, x, sum) adds.
template <class Sum, class Body>
PlaneSums<Sum> sum_voxels(const Context& ctx, const Box& box, View<const std::uint8_t> mask,
                          Body&& body) {
  return plane_sums<Sum>(ctx, box.size(0), [&](std::int64_t i, int) {
    Sum sum{};
    const int z = box.lo[0] + static_cast<int>(i);
    for (int y = box.lo[1]; y < box.hi[1]; ++y)
      for (int x = box.lo[2]; x < box.hi[2]; ++x)
        if (!mask || mask(z, y, x) != 0) body(z, y, x, sum);
    return sum;
  });
}

}  // namespace

template <>
PlaneSums<Statistics> On<Backend::cpu>::statistics(Context& ctx, Box box, const ImageView& image,
                                                   View<const std::uint8_t> mask) {
  return visit_loaded(image, [&](auto loaded) {
    return sum_voxels<Statistics>(ctx, box, mask, [&](int z, int y, int x, Statistics& s) {
      const float v = loaded(z, y, x);
      if (!is_finite(v)) {
        ++s.not_finite;
        return;
      }
      ++s.count;
      s.sum += static_cast<double>(v);
      s.sum_squares += static_cast<double>(v) * static_cast<double>(v);
      s.lo = std::min(s.lo, v);
      s.hi = std::max(s.hi, v);
    });
  });
}

template <>
std::int64_t On<Backend::cpu>::count(Context& ctx, Box box, View<const std::uint8_t> mask) {
  return sum_voxels<std::int64_t>(ctx, box, mask, [](int, int, int, std::int64_t& n) { ++n; })
      .total();
}

template <>
std::vector<std::int64_t> On<Backend::cpu>::histogram(Context& ctx, Box box, Range range, int bins,
                                                      const ImageView& image,
                                                      View<const std::uint8_t> mask) {
  const double lo = static_cast<double>(range.lo);
  const double scale = bins / (static_cast<double>(range.hi) - lo);
  const auto size = static_cast<std::size_t>(bins);
  auto* counts =
      ctx.scratch<std::int64_t>(counts_slot, size * static_cast<std::size_t>(ctx.threads));
  std::fill_n(counts, size * static_cast<std::size_t>(ctx.threads), 0);
  visit_loaded(image, [&](auto loaded) {
    parallel_for(ctx, box.size(0), [&](std::int64_t i, int worker) {
      const int z = box.lo[0] + static_cast<int>(i);
      std::int64_t* mine = counts + size * static_cast<std::size_t>(worker);
      for (int y = box.lo[1]; y < box.hi[1]; ++y)
        for (int x = box.lo[2]; x < box.hi[2]; ++x) {
          const float v = loaded(z, y, x);
          if ((!mask || mask(z, y, x) != 0) && is_finite(v)) ++mine[bin_of(v, lo, scale, bins)];
        }
    });
  });
  std::vector<std::int64_t> result(counts, counts + size);
  for (std::size_t worker = 1; worker < static_cast<std::size_t>(ctx.threads); ++worker)
    for (std::size_t b = 0; b < size; ++b) result[b] += counts[worker * size + b];
  return result;
}

template <>
PlaneSums<Moments> On<Backend::cpu>::moments(Context& ctx, Box box, Range range,
                                             View<const float> image,
                                             View<const std::uint8_t> mask) {
  return sum_voxels<Moments>(ctx, box, mask, [&](int z, int y, int x, Moments& m) {
    const auto w = static_cast<double>(clamped(image(z, y, x), range) - range.lo);
    if (!(w > 0)) return;
    const Vec3 p{static_cast<double>(z), static_cast<double>(y), static_cast<double>(x)};
    m.mass += w;
    for (int a = 0; a < 3; ++a) {
      m.first[a] += w * p[a];
      for (int b = 0; b < 3; ++b) m.second[a][b] += w * p[a] * p[b];
    }
  });
}

template <>
void On<Backend::cpu>::rescale(Context& ctx, Box box, float lo, float scale, View<float> image) {
  map_voxels(ctx, box, image, image, [=](float v) { return (v - lo) * scale; });
}

template <>
void On<Backend::cpu>::clamp(Context& ctx, Box box, Range range, View<float> image) {
  map_voxels(ctx, box, image, image, [=](float v) { return clamped(v, range); });
}

template <>
void On<Backend::cpu>::remap(Context& ctx, Box box, const std::vector<float>& x,
                             const std::vector<float>& y, View<float> image) {
  Points points{static_cast<int>(x.size())};
  std::copy(x.begin(), x.end(), points.x);
  std::copy(y.begin(), y.end(), points.y);
  map_voxels(ctx, box, image, image, [&](float v) { return remapped(points, v); });
}

template <>
void On<Backend::cpu>::store(Context& ctx, Box box, View<const float> from, View<Half> to) {
  map_voxels(ctx, box, from, to, [](float v) { return from_float<Half>(v); });
}

template <>
void On<Backend::cpu>::load(Context& ctx, Box box, const ImageView& from, View<float> to) {
  visit_loaded(from, [&](auto loaded) {
    for_rows(ctx, box, [&](int z, int y) {
      float* out = to.row(z, y);
#pragma omp simd
      for (int x = box.lo[2]; x < box.hi[2]; ++x) out[x] = loaded(z, y, x);
    });
  });
}

template <>
void On<Backend::cpu>::store_mask(Context& ctx, Box box, float threshold, View<const float> from,
                                  View<std::uint8_t> to) {
  map_voxels(ctx, box, from, to,
             [=](float v) { return static_cast<std::uint8_t>(v >= threshold); });
}

template <>
void On<Backend::cpu>::drop_missing(Context& ctx, Box box, View<float> image,
                                    View<std::uint8_t> mask) {
  for_rows(ctx, box, [&](int z, int y) {
    float* v = image.row(z, y);
    std::uint8_t* m = mask.row(z, y);
    for (int x = box.lo[2]; x < box.hi[2]; ++x)
      if (!is_finite(v[x])) v[x] = m[x] = 0;
  });
}

/// Reads only voxels inside the mask and writes only voxels outside, so the order does not matter.
template <>
void On<Backend::cpu>::extend(Context& ctx, Box domain, Box box, View<const std::uint8_t> mask,
                              View<float> image) {
  for_rows(ctx, box, [&](int z, int y) {
    float* to = image.row(z, y);
    const std::uint8_t* counts = mask.row(z, y);
    for (int x = box.lo[2]; x < box.hi[2]; ++x)
      if (counts[x] == 0) to[x] = neighbour_mean(domain, mask, image, z, y, x);
  });
}

}  // namespace ffdp::intensity
