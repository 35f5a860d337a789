// SPDX-License-Identifier: Apache-2.0
#include "ffdp/core/parallel.hpp"

#include <array>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"

namespace ffdp {
namespace {

std::int64_t sum_of_squares(int threads, std::int64_t n) {
  Context ctx;
  ctx.threads = threads;
  return parallel_sum<std::int64_t>(ctx, n, [](std::int64_t i, int) { return i * i; });
}

TEST(Parallel, EveryIndexIsVisitedOnceAtAnyNumberOfThreads) {
  for (int round = 0; round < 200; ++round) {
    Context ctx;
    ctx.threads = 1 + round % 7;
    std::array<std::atomic<int>, 50> visits{};
    std::atomic<bool> outside{false};
    parallel_for(ctx, round % 51, [&](std::int64_t i, int worker) {
      ++visits[static_cast<std::size_t>(i)];
      if (worker < 0 || worker >= ctx.threads) outside = true;
    });
    for (int i = 0; i < 50; ++i)
      EXPECT_EQ(visits[static_cast<std::size_t>(i)], i < round % 51) << round;
    EXPECT_FALSE(outside);
  }
}

TEST(Parallel, WorkersRunAtTheSameTime) {
  std::atomic<int> arrived{0};
  on_workers(3, [&](int) {
    ++arrived;
    while (arrived < 3) std::this_thread::yield();
  });
  EXPECT_EQ(arrived, 3);
}

TEST(Parallel, InnerCallsRunOnTheirThreadAlone) {
  Context ctx;
  ctx.threads = 3;
  std::atomic<std::int64_t> inner{0};
  parallel_for(ctx, 4, [&](std::int64_t, int) {
    const auto self = std::this_thread::get_id();
    parallel_for(ctx, 10, [&](std::int64_t, int worker) {
      inner += worker == 0 && std::this_thread::get_id() == self;
    });
  });
  EXPECT_EQ(inner, 40);
}

TEST(Parallel, AnErrorOfAWorkerIsThrownAndTheNextCallWorks) {
  Context ctx;
  ctx.threads = 3;
  for (int round = 0; round < 20; ++round) {
    EXPECT_THROW(parallel_for(ctx, 9,
                              [&](std::int64_t i, int) {
                                if (i == round % 9) throw InvalidArgument("nine");
                              }),
                 InvalidArgument);
    EXPECT_EQ(sum_of_squares(3, 4), 14);
  }
}

TEST(Parallel, ThreadsOfACallerHaveWorkersOfTheirOwn) {
  std::array<std::int64_t, 4> sums{};
  std::vector<std::thread> callers;
  for (std::int64_t& sum : sums)
    callers.emplace_back([&sum] {
      for (int round = 0; round < 100; ++round) sum += sum_of_squares(3, 4);
    });
  for (std::thread& caller : callers) caller.join();
  for (const std::int64_t sum : sums) EXPECT_EQ(sum, 1400);
}

TEST(Parallel, AForkHasWorkersToo) {  // as Python's multiprocessing makes them
  ASSERT_EQ(sum_of_squares(3, 4), 14);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(10);
    _exit(sum_of_squares(3, 4) == 14 ? 0 : 1);
  }
  int status = 1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace ffdp
