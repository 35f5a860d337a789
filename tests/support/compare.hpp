// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <ostream>
#include <vector>

namespace ffdp::test {

/// How far `got` is from `want`, both seen as one vector.
struct Difference {
  double relative_l2 = 0;   ///< |got - want| / |want| [1]; the norm itself where want is 0
  double relative_max = 0;  ///< max |got - want| / max |want| [1]
  double cosine = 0;        ///< of the angle between both [1]; 0 where either is 0
  double bias = 0;          ///< mean(got - want) / rms(want) [1]
  std::size_t count = 0;

  friend std::ostream& operator<<(std::ostream& out, const Difference& d) {
    return out << "relative L2 " << d.relative_l2 << ", max " << d.relative_max << ", cosine "
               << d.cosine << ", bias " << d.bias << " over " << d.count;
  }
};

/// Both must have as many elements, and at least one. Otherwise, and with NaN anywhere, all errors
/// are infinite, so that no comparison passes.
template <class Got, class Want>
Difference compare(const Got& got, const Want& want) {
  double error = 0, norm_want = 0, norm_got = 0, dot = 0, max_error = 0, max_want = 0, sum = 0;
  Difference d;
  const auto incomparable = [&] {
    d.relative_l2 = d.relative_max = d.bias = HUGE_VAL;
    return d;
  };
  const auto count = std::distance(std::begin(got), std::end(got));
  if (count == 0 || count != std::distance(std::begin(want), std::end(want))) return incomparable();
  auto w = std::begin(want);
  for (auto g = std::begin(got); g != std::end(got); ++g, ++w, ++d.count) {
    const double a = *g, b = *w, e = a - b;
    if (!std::isfinite(e)) return incomparable();
    error += e * e;
    norm_want += b * b;
    norm_got += a * a;
    dot += a * b;
    sum += e;
    max_error = std::max(max_error, std::abs(e));
    max_want = std::max(max_want, std::abs(b));
  }
  const auto n = static_cast<double>(d.count);
  const double scale = norm_want > 0 ? std::sqrt(norm_want) : 1;
  d.relative_l2 = std::sqrt(error) / scale;
  d.relative_max = max_error / (max_want > 0 ? max_want : 1);
  d.cosine = norm_want > 0 && norm_got > 0 ? dot / std::sqrt(norm_want * norm_got) : 0;
  d.bias = sum / n / (norm_want > 0 ? std::sqrt(norm_want / n) : 1);
  return d;
}

inline double relative_error(double got, double want) {
  return compare(std::vector<double>{got}, std::vector<double>{want}).relative_l2;
}

}  // namespace ffdp::test
