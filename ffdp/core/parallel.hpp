// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "ffdp/core/context.hpp"
#include "ffdp/core/plane_sums.hpp"

namespace ffdp {

/// Calls work(worker) once for every worker in [0, threads), each on a thread of its own; worker 0
/// is the caller. Returns when all have returned, and throws the first error that one of them
/// threw. Each calling thread has workers of its own, which sleep between calls. A nested call from
/// within `work` runs work(0) only, on the calling thread.
void on_workers(int threads, const std::function<void(int)>& work);

/// Calls body(i, worker) for every i in [0, n) on the threads of the context; worker < threads.
/// Which worker gets which i varies from run to run, so results must not depend on it.
template <class Body>
void parallel_for(const Context& ctx, std::int64_t n, Body&& body) {
  std::atomic<std::int64_t> next{0};
  const auto work = [&](int worker) {
    for (std::int64_t i = next++; i < n; i = next++) body(i, worker);
  };
  on_workers(static_cast<int>(std::min<std::int64_t>(ctx.threads, n)), std::ref(work));
}

/// Calls body(i) for every i in [0, n); for bodies so short that a worker takes many at a time.
template <class Body>
void parallel_for_many(const Context& ctx, std::size_t n, Body&& body) {
  constexpr std::size_t piece = 2048;
  parallel_for(ctx, static_cast<std::int64_t>((n + piece - 1) / piece), [&](std::int64_t p, int) {
    const std::size_t begin = static_cast<std::size_t>(p) * piece;
    for (std::size_t i = begin; i < std::min(n, begin + piece); ++i) body(i);
  });
}

/// Calls body(i, worker) for every plane i in [0, n) of a box and returns what it returned.
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
