// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "ffdp/core/field.hpp"
#include "ffdp/core/noise.hpp"

/// Fields for tests, every voxel a function of its global index.
namespace ffdp::test {

/// Calls body(z, y, x) for every voxel of `box`.
template <class Body>
void for_each_voxel(const Box& box, Body&& body) {
  for (int z = box.lo[0]; z < box.hi[0]; ++z)
    for (int y = box.lo[1]; y < box.hi[1]; ++y)
      for (int x = box.lo[2]; x < box.hi[2]; ++x) body(z, y, x);
}

/// Field over `stored` with the values value(z, y, x).
template <class T = float, class Value>
Field<T> make_field(const Box& stored, Value&& value) {
  Field<T> field(Backend::cpu, stored);
  const View<T> view = field.view();
  for_each_voxel(stored,
                 [&](int z, int y, int x) { view(z, y, x) = static_cast<T>(value(z, y, x)); });
  return field;
}

/// Vector field over `stored` with the values value(component, z, y, x).
template <class Value>
VectorField<float> make_vector_field(const Box& stored, Value&& value) {
  VectorField<float> field(Backend::cpu, stored);
  for (int c = 0; c < 3; ++c) {
    const View<float> view = field.view()[c];
    for_each_voxel(stored, [&](int z, int y, int x) {
      view(z, y, x) = static_cast<float>(value(c, z, y, x));
    });
  }
  return field;
}

/// White noise in [0,1), quintic-interpolated between nodes `scale` voxels apart: smooth, and again
/// a function of the global index alone.
inline double smooth_noise(double z, double y, double x, double scale, std::uint32_t seed) {
  const double p[3] = {z / scale, y / scale, x / scale};
  int base[3];
  double weight[3];
  for (int axis = 0; axis < 3; ++axis) {
    base[axis] = static_cast<int>(std::floor(p[axis]));
    const double t = p[axis] - base[axis];
    weight[axis] = t * t * t * (t * (6 * t - 15) + 10);
  }
  double sum = 0;
  for (int corner = 0; corner < 8; ++corner) {
    const int k = corner >> 2, j = (corner >> 1) & 1, i = corner & 1;
    sum += (k ? weight[0] : 1 - weight[0]) * (j ? weight[1] : 1 - weight[1]) *
           (i ? weight[2] : 1 - weight[2]) *
           static_cast<double>(noise(base[0] + k, base[1] + j, base[2] + i, seed));
  }
  return sum;
}

/// Smooth structure (nodes 4 voxels apart) plus a tenth of white noise, in [0,1.1).
inline Field<float> image(const Box& stored, std::uint32_t seed) {
  return make_field(stored, [&](int z, int y, int x) {
    return smooth_noise(z, y, x, 4, seed) + 0.1 * static_cast<double>(noise(z, y, x, seed + 1));
  });
}

/// Smooth displacement of up to `amplitude` voxels along every axis longer than one voxel.
inline VectorField<float> displacement(const Box& domain, const Box& stored, double amplitude,
                                       std::uint32_t seed) {
  return make_vector_field(stored, [&](int c, int z, int y, int x) {
    if (domain.size(c) == 1) return 0.0;
    return amplitude * (2 * smooth_noise(z, y, x, 6, seed + static_cast<std::uint32_t>(c)) - 1);
  });
}

inline constexpr float nan = std::numeric_limits<float>::quiet_NaN();

/// Sets every voxel outside `kept` to NaN, or to `poison`.
inline void poison_outside(Field<float>& field, const Box& kept, float poison = nan) {
  const View<float> view = field.view();
  for_each_voxel(field.stored(), [&](int z, int y, int x) {
    if (!kept.contains(z, y, x)) view(z, y, x) = poison;
  });
}
inline void poison_outside(VectorField<float>& field, const Box& kept) {
  for (int c = 0; c < 3; ++c) {
    const View<float> view = field.view()[c];
    for_each_voxel(field.stored(), [&](int z, int y, int x) {
      if (!kept.contains(z, y, x)) view(z, y, x) = nan;
    });
  }
}

/// The values of `view` over `box`, in the order z, y, x.
template <class T>
std::vector<double> values(const View<T>& view, const Box& box) {
  std::vector<double> r;
  r.reserve(static_cast<std::size_t>(box.volume()));
  for_each_voxel(box,
                 [&](int z, int y, int x) { r.push_back(static_cast<double>(view(z, y, x))); });
  return r;
}
template <class T>
std::vector<double> values(const VectorView<T>& view, const Box& box) {
  std::vector<double> r;
  for (int c = 0; c < 3; ++c) {
    const auto part = values(view[c], box);
    r.insert(r.end(), part.begin(), part.end());
  }
  return r;
}

/// The middle third of every axis, at least one voxel.
inline Box inner_part(const Box& domain) {
  Box r;
  for (int axis = 0; axis < 3; ++axis) {
    r.lo[axis] = domain.lo[axis] + domain.size(axis) / 3;
    r.hi[axis] = std::max(r.lo[axis] + 1, domain.hi[axis] - domain.size(axis) / 3);
  }
  return r;
}

/// Ways to cut `domain`: whole, halves, an uneven three-way cut of y, planes of one voxel, blocks.
inline std::vector<std::vector<Box>> splits(const Box& domain) {
  const auto cut = [](const std::vector<Box>& boxes, int axis, const std::vector<int>& at) {
    std::vector<Box> result;
    for (const Box& box : boxes) {
      Box rest = box;
      for (int position : at) {
        const int i = std::clamp(position, rest.lo[axis], rest.hi[axis]);
        Box part = rest;
        part.hi[axis] = rest.lo[axis] = i;
        if (!part.empty()) result.push_back(part);
      }
      if (!rest.empty()) result.push_back(rest);
    }
    return result;
  };
  const Int3 n{domain.size(0), domain.size(1), domain.size(2)};
  const Int3 lo = domain.lo;
  std::vector<int> planes;
  for (int z = lo[0] + 1; z < domain.hi[0]; ++z) planes.push_back(z);
  const std::vector<Box> whole{domain};
  const std::vector<Box> halves = cut(whole, 0, {lo[0] + n[0] / 2});
  return {whole, halves, cut(whole, 1, {lo[1] + n[1] / 5, lo[1] + n[1] / 2}), cut(whole, 0, planes),
          cut(cut(halves, 1, {lo[1] + n[1] / 3}), 2, {lo[2] + 2 * n[2] / 3})};
}

}  // namespace ffdp::test
