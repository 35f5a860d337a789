// SPDX-License-Identifier: Apache-2.0
#include "ffdp/evaluation/distance_transform.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "ffdp/core/parallel.hpp"

namespace ffdp::evaluation {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Replaces f by its lower envelope min_j f(j) + (spacing (i - j))^2 along a line.
class Envelope {
 public:
  Envelope(int size, double spacing)
      : spacing_(spacing), f_(size), where_(size), from_(size + 1), size_(size) {}

  void apply(float* line, std::int64_t stride) {
    int count = 0;  // parabolas in the envelope; where_[k] rules from from_[k] on
    for (int i = 0; i < size_; ++i) {
      f_[i] = static_cast<double>(line[i * stride]);
      if (f_[i] == infinity) continue;
      while (count > 0 && crossing(where_[count - 1], i) <= from_[count - 1]) --count;
      from_[count] = count == 0 ? -infinity : crossing(where_[count - 1], i);
      where_[count++] = i;
    }
    if (count == 0) return;
    from_[count] = infinity;
    for (int i = 0, k = 0; i < size_; ++i) {
      while (from_[k + 1] < i) ++k;
      const double d = spacing_ * (i - where_[k]);
      line[i * stride] = static_cast<float>(f_[where_[k]] + d * d);
    }
  }

 private:
  /// Where the parabola of i goes below that of j < i [voxels].
  double crossing(int j, int i) const {
    const double s = spacing_ * spacing_;
    return 0.5 * ((f_[i] - f_[j]) / (s * (i - j)) + i + j);
  }

  double spacing_;
  std::vector<double> f_;
  std::vector<int> where_;
  std::vector<double> from_;
  int size_;
};

}  // namespace

Field<float> squared_distance(Context& ctx, const View<const std::uint8_t>& set,
                              const Vec3& spacing) {
  const Box& box = set.stored;
  Field<float> result(Backend::cpu, box);
  const View<float> out = result.view();
  parallel_for(ctx, box.size(0), [&](std::int64_t plane, int) {
    const int z = box.lo[0] + static_cast<int>(plane);
    Envelope along_x(box.size(2), spacing[2]), along_y(box.size(1), spacing[1]);
    for (int y = box.lo[1]; y < box.hi[1]; ++y) {
      for (int x = box.lo[2]; x < box.hi[2]; ++x)
        out(z, y, x) = set(z, y, x) != 0 ? 0.0F : std::numeric_limits<float>::infinity();
      along_x.apply(out.row(z, y) + box.lo[2], 1);
    }
    for (int x = box.lo[2]; x < box.hi[2]; ++x)
      along_y.apply(out.row(z, box.lo[1]) + x, out.stride_y);
  });
  parallel_for(ctx, box.size(1), [&](std::int64_t row, int) {
    const int y = box.lo[1] + static_cast<int>(row);
    Envelope along_z(box.size(0), spacing[0]);
    for (int x = box.lo[2]; x < box.hi[2]; ++x)
      along_z.apply(out.row(box.lo[0], y) + x, out.stride_z);
  });
  return result;
}

}  // namespace ffdp::evaluation
