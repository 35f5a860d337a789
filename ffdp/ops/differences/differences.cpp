// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/differences/differences.hpp"

#include <algorithm>
#include <string>
#include <type_traits>

#include "ffdp/ops/common/checks.hpp"
#include "ffdp/ops/common/dispatch.hpp"
#include "ffdp/ops/differences/backends.hpp"

namespace ffdp::differences {
namespace {

/// The voxels that the taps reach from `compute` (times: 1 for the value, 2 for the gradient).
Box reach(const Params& p, const Box& domain, const Box& compute, int times) {
  Int3 widest{};
  for (const Stencil& stencil : p.stencils)
    for (const auto& tap : stencil.taps)
      for (int a = 0; a < 3; ++a) widest[a] = std::max(widest[a], std::abs(tap.offset[a]));
  for (int& w : widest) w *= times;
  return intersect(grow(compute, widest), domain);
}

template <class T>
void check(const Params& p, const Box& domain, const Box& compute, const View<const T>& u,
           int times) {
  require_boxes("differences", domain, compute);
  require(!p.stencils.empty() && p.stencils.size() <= most_stencils,
          "differences: " + std::to_string(p.stencils.size()) + " stencils, 1 to " +
              std::to_string(most_stencils) + " are wanted");
  for (const Stencil& stencil : p.stencils)
    require(!stencil.taps.empty() && stencil.taps.size() <= most_taps,
            "differences: a stencil of " + std::to_string(stencil.taps.size()) + " taps, 1 to " +
                std::to_string(most_taps) + " are wanted");
  require_stored("differences", "u", u, reach(p, domain, compute, times));
}

}  // namespace

template <class T>
void forward(Context& ctx, const Params& p, Box domain, Box compute, View<const T> u, double* sum) {
  check(p, domain, compute, u, 1);
  require(sum != nullptr, "differences: sum is absent");
  dispatch<Has{.cuda = std::is_same_v<T, float>}>(
      ctx, [&]<Backend B>() { On<B>::forward(ctx, p, domain, compute, u, sum); });
}

template <class T>
void backward(Context& ctx, const Params& p, Box domain, Box compute, View<const T> u,
              const T* scale, View<T> grad) {
  check(p, domain, compute, u, 2);
  require(scale != nullptr, "differences: scale is absent");
  require_stored("differences", "grad", grad, compute);
  dispatch<Has{.cuda = std::is_same_v<T, float>}>(
      ctx, [&]<Backend B>() { On<B>::backward(ctx, p, domain, compute, u, scale, grad); });
}

template decltype(forward<float>) forward<float>;
template decltype(forward<double>) forward<double>;
template decltype(backward<float>) backward<float>;
template decltype(backward<double>) backward<double>;

}  // namespace ffdp::differences
