// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include <omp.h>

#include "ffdp/core/context.hpp"
#include "ffdp/core/plane_sums.hpp"

namespace ffdp {

/// Calls body(i, worker) for every i in [0, n) on the threads of the context; worker < threads.
/// Which worker gets which i varies from run to run, so the body must not let it show.
template <class Body>
void parallel_for(const Context& ctx, std::int64_t n, Body&& body) {
#pragma omp parallel num_threads(ctx.threads)
  {
    const int worker = omp_get_thread_num();
#pragma omp for schedule(dynamic, 1)
    for (std::int64_t i = 0; i < n; ++i) body(i, worker);
  }
}

/// body(i, worker) for every plane i in [0, n) of a box.
template <class Sum, class Body>
PlaneSums<Sum> plane_sums(const Context& ctx, std::int64_t n, Body&& body) {
  PlaneSums<Sum> sums{std::vector<Sum>(static_cast<std::size_t>(n))};
  parallel_for(ctx, n, [&](std::int64_t i, int worker) { sums.of_planes[i] = body(i, worker); });
  return sums;
}

/// Sum over i in [0, n) of body(i, worker), added in the order of i: the same bits at any thread
/// count. Sum is a value type with operator+=.
template <class Sum, class Body>
Sum parallel_sum(const Context& ctx, std::int64_t n, Body&& body) {
  return plane_sums<Sum>(ctx, n, body).total();
}

}  // namespace ffdp
