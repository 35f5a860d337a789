// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/adam/adam.hpp"

#include "ffdp/ops/adam/backends.hpp"
#include "ffdp/ops/common/checks.hpp"
#include "ffdp/ops/common/dispatch.hpp"

namespace ffdp::adam {

void require_valid(const Params& p) {
  require(p.beta1 >= 0 && p.beta1 < 1 && p.beta2 >= 0 && p.beta2 < 1,
          "adam: beta1 is " + std::to_string(p.beta1) + " and beta2 " + std::to_string(p.beta2) +
              ", must be within 0 and below 1");
  require(p.epsilon >= 0, "adam: epsilon is negative");
  require(p.iteration >= 1,
          "adam: iteration is " + std::to_string(p.iteration) + ", counts from 1");
}

double step(Context& ctx, const Params& p, Box domain, Box compute, VectorView<float> grad,
            VectorView<float> first, VectorView<float> second) {
  require_valid(p);
  require_boxes("adam", domain, compute);
  require_stored("adam", "grad", grad, compute);
  require_stored("adam", "first", first, compute);
  if (p.second_moment != SecondMoment::none) require_stored("adam", "second", second, compute);
  return dispatch(
      ctx, [&]<Backend B>() { return On<B>::step(ctx, p, domain, compute, grad, first, second); });
}

}  // namespace ffdp::adam
