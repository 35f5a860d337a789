// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/correlation/correlation.hpp"

#include <type_traits>

#include "ffdp/ops/common/checks.hpp"
#include "ffdp/ops/common/dispatch.hpp"
#include "ffdp/ops/correlation/backends.hpp"

namespace ffdp::correlation {
namespace {

constexpr std::size_t most_taps = 63;

void check(const Params& p) {
  for (const auto& taps : p.taps) {
    require(taps.size() % 2 == 1 && taps.size() <= most_taps,
            "correlation: a window has " + std::to_string(taps.size()) +
                " voxels along an axis, must have an odd number up to " +
                std::to_string(most_taps));
    for (std::size_t i = 0; i < taps.size(); ++i)
      require(taps[i] >= 0 && taps[i] == taps[taps.size() - 1 - i],
              "correlation: the weights of a window are negative or not symmetric");
  }
  require(p.epsilon >= 0 && p.numerator >= 0,
          "correlation: epsilon is " + std::to_string(p.epsilon) + " and numerator " +
              std::to_string(p.numerator) + ", neither may be negative");
}

}  // namespace

template <class T>
void forward_backward(Context& ctx, const Params& p, Box domain, Box compute,
                      const Images<T>& images, const T* centres, View<const T> weight,
                      const Outputs<T>& outputs) {
  require_boxes("correlation", domain, compute);
  check(p);
  const Int3 wide = halo(p), reach_of{wide[0] / 2, wide[1] / 2, wide[2] / 2};
  const Box windows = intersect(grow(compute, reach_of), domain);
  const Box needed = outputs.grad ? intersect(grow(compute, wide), domain) : windows;
  require_stored("correlation", images, needed);
  if (weight) require_stored("correlation", "weight", weight, outputs.grad ? windows : compute);
  if (outputs.grad) require_stored("correlation", "grad", outputs.grad, compute);
  if (outputs.map) require_stored("correlation", "map", outputs.map, compute);
  require(centres != nullptr, "correlation: centres are absent");
  dispatch<Has{.cuda = std::is_same_v<T, float>}>(ctx, [&]<Backend B>() {
    On<B>::forward_backward(ctx, p, domain, compute, images, centres, weight, outputs);
  });
}

template decltype(forward_backward<float>) forward_backward<float>;
template decltype(forward_backward<double>) forward_backward<double>;

}  // namespace ffdp::correlation
