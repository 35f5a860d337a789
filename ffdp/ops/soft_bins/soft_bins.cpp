// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/soft_bins/soft_bins.hpp"

#include <cmath>
#include <string>
#include <type_traits>

#include "ffdp/core/error.hpp"
#include "ffdp/ops/common/dispatch.hpp"
#include "ffdp/ops/soft_bins/backends.hpp"

namespace ffdp::soft_bins {
namespace {

void check(const Params& p, std::int64_t n) {
  require(n >= 0, "soft_bins: " + std::to_string(n) + " voxels, at least 0 are wanted");
  require(p.bins >= 2 && p.bins <= most_bins, "soft_bins: " + std::to_string(p.bins) +
                                                  " bins, 2 to " + std::to_string(most_bins) +
                                                  " are wanted");
  // Halfway between two bins, the weights of narrower Gaussians are 0 in float.
  require(p.sigma >= 0.05 && p.sigma <= 16,
          "soft_bins: sigma is " + std::to_string(p.sigma) + " bins, 0.05 to 16 are wanted");
  for (const auto& range : {p.range_a, p.range_b})
    require(range[0] < range[1] && std::isfinite(range[1] - range[0]),
            "soft_bins: the range is " + std::to_string(range[0]) + " to " +
                std::to_string(range[1]) + ", a finite one from low to high is wanted");
}

}  // namespace

template <class T>
void accumulate(Context& ctx, const Params& p, std::int64_t n, const T* a, const T* b,
                double* joint) {
  check(p, n);
  dispatch<Has{.cuda = std::is_same_v<T, float>}>(
      ctx, [&]<Backend B>() { On<B>::accumulate(ctx, p, n, a, b, joint); });
}

template <class T>
void backward(Context& ctx, const Params& p, std::int64_t n, const T* a, const T* b, const T* table,
              T* grad_a) {
  check(p, n);
  dispatch<Has{.cuda = std::is_same_v<T, float>}>(
      ctx, [&]<Backend B>() { On<B>::backward(ctx, p, n, a, b, table, grad_a); });
}

template decltype(accumulate<float>) accumulate<float>;
template decltype(accumulate<double>) accumulate<double>;
template decltype(backward<float>) backward<float>;
template decltype(backward<double>) backward<double>;

}  // namespace ffdp::soft_bins
