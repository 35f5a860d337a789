// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "ffdp/core/view.hpp"

/// Double-precision oracles for tests.
namespace ffdp::intensity::reference {

/// The finite voxels of the box where the mask is not 0, with their indices.
struct Sample {
  double value;
  Int3 index;
};
inline std::vector<Sample> samples(const Box& box, const View<const float>& image,
                                   const View<const std::uint8_t>& mask) {
  std::vector<Sample> r;
  for (int z = box.lo[0]; z < box.hi[0]; ++z)
    for (int y = box.lo[1]; y < box.hi[1]; ++y)
      for (int x = box.lo[2]; x < box.hi[2]; ++x)
        if ((!mask || mask(z, y, x) != 0) && std::isfinite(image(z, y, x)))
          r.push_back({static_cast<double>(image(z, y, x)), {z, y, x}});
  return r;
}

/// Sum of v^power.
inline double power_sum(const std::vector<Sample>& samples, int power) {
  long double sum = 0;
  for (const Sample& s : samples) sum += std::pow(static_cast<long double>(s.value), power);
  return static_cast<double>(sum);
}

/// How many samples v have lo + b width <= v < lo + (b + 1) width; the last part holds its end.
inline std::int64_t in_bin(const std::vector<Sample>& samples, double lo, double hi, int bins,
                           int b) {
  std::int64_t n = 0;
  for (const Sample& s : samples) {
    const double position = (s.value - lo) * (bins / (hi - lo));
    n += position >= b && (position < b + 1 || b + 1 == bins);
  }
  return n;
}

/// Sum of w x_a^i x_b^j with w = min(max(v, lo), hi) - lo.
inline double moment(const std::vector<Sample>& samples, double lo, double hi, int a, int i, int b,
                     int j) {
  long double sum = 0;
  for (const Sample& s : samples)
    sum += (std::fmin(std::fmax(s.value, lo), hi) - lo) * std::pow(s.index[a], i) *
           std::pow(s.index[b], j);
  return static_cast<double>(sum);
}

}  // namespace ffdp::intensity::reference
