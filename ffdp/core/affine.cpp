// SPDX-License-Identifier: Apache-2.0
#include "ffdp/core/affine.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "ffdp/core/error.hpp"

namespace ffdp {

Mat3 operator*(const Mat3& a, const Mat3& b) {
  Mat3 r{};
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j)
      for (int k = 0; k < 3; ++k) r[i][j] += a[i][k] * b[k][j];
  return r;
}

Affine operator*(const Affine& a, const Affine& b) {
  return {a.linear * b.linear, a(b.translation)};
}

void add_range(double& lo, double& hi, double factor, double from, double to) {
  if (factor == 0) return;  // 0 times infinity is no number
  lo += std::min(factor * from, factor * to);
  hi += std::max(factor * from, factor * to);
}

double determinant(const Mat3& m) {
  return m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) -
         m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
         m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
}

Mat3 inverse(const Mat3& m) {
  const double det = determinant(m);
  double scale = 0;
  for (const auto& row : m)
    for (double value : row) scale = std::max(scale, std::abs(value));
  if (!(std::abs(det) > 1e-12 * scale * scale * scale))
    throw InvalidArgument("affine: the matrix has determinant " + std::to_string(det) +
                          ", an invertible one is needed");
  Mat3 r;
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) {
      const int a = (j + 1) % 3, b = (j + 2) % 3, c = (i + 1) % 3, d = (i + 2) % 3;
      r[i][j] = (m[a][c] * m[b][d] - m[a][d] * m[b][c]) / det;
    }
  return r;
}

Affine inverse(const Affine& a) {
  Affine r{inverse(a.linear), {}};
  const Vec3 t = r(a.translation);
  r.translation = {-t[0], -t[1], -t[2]};
  return r;
}

}  // namespace ffdp
