// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "ffdp/core/host_device.hpp"

namespace ffdp {

using Vec3 = std::array<double, 3>;
using Mat3 = std::array<Vec3, 3>;  ///< rows

/// y = linear * x + translation. The name of a variable says which frames x and y belong to.
struct Affine {
  Mat3 linear{{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
  Vec3 translation{};

  FFDP_HD constexpr Vec3 operator()(const Vec3& p) const {
    Vec3 r = translation;
    for (int i = 0; i < 3; ++i)
      for (int j = 0; j < 3; ++j) r[i] += linear[i][j] * p[j];
    return r;
  }
  friend constexpr bool operator==(const Affine&, const Affine&) = default;
};

/// The map x -> a(b(x)).
Affine operator*(const Affine& a, const Affine& b);
Mat3 operator*(const Mat3& a, const Mat3& b);
double determinant(const Mat3& m);
/// Replaces [lo, hi] by the range of v + factor * w, for v in [lo, hi] and w in [from, to]. The
/// ends may be infinite.
void add_range(double& lo, double& hi, double factor, double from, double to);
/// Throws InvalidArgument, which names the determinant, if the matrix is singular or not finite.
Mat3 inverse(const Mat3& m);
Affine inverse(const Affine& a);

}  // namespace ffdp
