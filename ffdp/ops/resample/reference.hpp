// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>

#include "ffdp/ops/resample/resample.hpp"

/// Double-precision oracle for tests: a sum over all voxels of hat functions about q.
namespace ffdp::resample::reference {

/// Sample of channel c at output voxel (z, y, x).
template <class T>
double sample(const Params& p, const Box& domain, const Inputs<T>& in, int c, int z, int y, int x) {
  double before[3] = {double(z), double(y), double(x)}, q[3];
  for (int k = 0; in.displacement && k < p.axes; ++k)
    before[3 - p.axes + k] += double(in.displacement[k](z, y, x));
  for (int a = 0; a < 3; ++a) {
    q[a] = before[a];
    if (in.affine) {
      q[a] = double(in.affine[4 * a + 3]);
      for (int b = 0; b < 3; ++b) q[a] += double(in.affine[4 * a + b]) * before[b];
    }
    if (p.padding == Padding::border)
      q[a] = std::clamp(q[a], double(domain.lo[a]), double(domain.hi[a] - 1));
    if (p.mode == Mode::nearest) q[a] = std::rint(q[a]);
  }
  const auto hat = [](double d) { return std::max(0.0, 1 - std::abs(d)); };
  const View<const T> image = in.image[c];
  double sum = 0;
  for (int k = domain.lo[0]; k < domain.hi[0]; ++k)
    for (int j = domain.lo[1]; j < domain.hi[1]; ++j)
      for (int i = domain.lo[2]; i < domain.hi[2]; ++i)
        if (image.stored.contains(k, j, i))
          sum += hat(q[0] - k) * hat(q[1] - j) * hat(q[2] - i) * double(image(k, j, i));
  return sum;
}

}  // namespace ffdp::resample::reference
