// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/images/distribution.hpp"

#include <algorithm>
#include <cmath>

#include "ffdp/core/error.hpp"
#include "ffdp/dist/ordered_sum.hpp"

namespace ffdp::registration {
namespace {

constexpr int bins = 4096;
constexpr double low = 0.001, high = 0.999;  // [1]

}  // namespace

/// If a few voxels are far from all others, the others share one bin. Then the histogram is made
/// again over a smaller range: from the low to the high robust quantile, and as far again on each
/// side.
Distribution::Distribution(Context& ctx, dist::Comm& comm, const std::string& name,
                           const ImageRef& image, View<const std::uint8_t> mask) {
  const dist::Cut cut(comm, image.grid.domain());
  const Box own = cut.own(comm);
  const auto count = [&](const intensity::Range& range) {
    lo_ = static_cast<double>(range.lo);
    hi_ = static_cast<double>(range.hi);
    scale_ = bins / (hi_ - lo_);
    counts_ = intensity::histogram(ctx, own, range, bins, image.data, mask);
    dist::sum_counts(comm, cut, counts_);
  };
  all_ = dist::ordered_sum(comm, cut, intensity::statistics(ctx, own, image.data, mask));
  require(all_.count > 0, name + ": no voxel lies inside the mask");
  require(all_.hi > all_.lo, name + ": every voxel is " + std::to_string(all_.lo) +
                                 ", an image with some contrast is needed");
  const intensity::Range everything{all_.lo, all_.hi};
  count(everything);
  constexpr int enough = 64, most_rounds = 16;  // bins between the quantiles
  for (int round = 0;; ++round) {
    const double first = std::floor((quantile(low) - lo_) * scale_);
    const double last = std::ceil((quantile(high) - lo_) * scale_);
    if (last - first >= enough) return;
    const double room = std::max(last - first, 1.0);
    const intensity::Range range{
        std::max(all_.lo, static_cast<float>(lo_ + (first - room) / scale_)),
        std::min(all_.hi, static_cast<float>(lo_ + (last + room) / scale_))};
    if (!(range.hi > range.lo) || round == most_rounds) break;
    count(range);
  }
  nearly_constant_ = true;
  count(everything);
}

double Distribution::quantile(double q) const {
  const double wanted = q * static_cast<double>(all_.count);
  double below = 0;
  for (int b = 0; b < bins; ++b) {
    const double next = below + static_cast<double>(counts_[static_cast<std::size_t>(b)]);
    if (next >= wanted && next > below)
      return lo_ + (b + (wanted - below) / (next - below)) / scale_;
    below = next;
  }
  return hi_;
}

double Distribution::share_below(double value) const {
  const double position = std::clamp((value - lo_) * scale_, 0.0, static_cast<double>(bins));
  double below = 0;
  for (int b = 0; b < bins && b < position; ++b)
    below +=
        std::min(1.0, position - b) * static_cast<double>(counts_[static_cast<std::size_t>(b)]);
  return below / static_cast<double>(all_.count);
}

intensity::Range Distribution::robust() const {
  const intensity::Range range{static_cast<float>(quantile(low)),
                               static_cast<float>(quantile(high))};
  if (!nearly_constant_ && range.hi > range.lo) return range;
  return {all_.lo, all_.hi};
}

}  // namespace ffdp::registration
