// SPDX-License-Identifier: Apache-2.0
#include "ffdp/dist/comm.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <numeric>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"
#include "ffdp/dist/ordered_sum.hpp"
#include "ffdp/dist/threads.hpp"

namespace ffdp::dist {
namespace {

class OnRanks : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Ranks, OnRanks, testing::Values(1, 2, 3, 4, 6, 64),
                         testing::PrintToStringParamName());

TEST_P(OnRanks, GatherGivesWhatEveryRankGaveInOrder) {
  run_threads(GetParam(), [](Comm& comm) {
    const std::vector<int> all = comm.all_gather(10 * comm.rank());
    ASSERT_EQ(static_cast<int>(all.size()), comm.size());
    for (int r = 0; r < comm.size(); ++r) EXPECT_EQ(all[static_cast<std::size_t>(r)], 10 * r);
  });
}

TEST_P(OnRanks, GatherTakesListsOfAnyLength) {
  run_threads(GetParam(), [](Comm& comm) {
    std::vector<int> mine(static_cast<std::size_t>(comm.rank() % 3));  // some are empty
    std::iota(mine.begin(), mine.end(), 100 * comm.rank());
    const std::vector<int> all = comm.all_gather_lists(std::span<const int>(mine));
    std::vector<int> wanted;
    for (int r = 0; r < comm.size(); ++r)
      for (int k = 0; k < r % 3; ++k) wanted.push_back(100 * r + k);
    EXPECT_EQ(all, wanted);
  });
}

TEST_P(OnRanks, ReducesAndBroadcasts) {
  run_threads(GetParam(), [](Comm& comm) {
    const int n = comm.size();
    std::int64_t sums[2] = {comm.rank(), (std::int64_t{1} << 40U) + comm.rank()};
    comm.all_sum(sums);
    EXPECT_EQ(sums[0], std::int64_t{n} * (n - 1) / 2);
    EXPECT_EQ(sums[1], n * (std::int64_t{1} << 40U) + sums[0]);
    double most[2] = {-1.0 * comm.rank(), 0.5 * comm.rank()};
    comm.all_max(most);
    EXPECT_EQ(most[0], 0);
    EXPECT_EQ(most[1], 0.5 * (n - 1));
    int value = comm.rank() == n - 1 ? 42 : 0;
    comm.broadcast(&value, sizeof(value), n - 1);
    EXPECT_EQ(value, 42);
    comm.barrier();
  });
}

/// Messages between all pairs, several at a time, with other work before the wait.
TEST_P(OnRanks, MessagesArriveInTheOrderInWhichTheyWereSent) {
  run_threads(GetParam(), [](Comm& comm) {
    const int n = comm.size();
    std::vector<int> out(static_cast<std::size_t>(2 * n)), in(out.size(), -1);
    std::vector<Send> sends;
    std::vector<Receive> receives;
    for (int r = 0; r < n; ++r)
      for (int k = 0; k < 2; ++k) {
        const auto at = static_cast<std::size_t>(2 * r + k);
        out[at] = 1000 * comm.rank() + 2 * r + k;
        sends.push_back({r, &out[at], sizeof(int)});
        receives.push_back({r, &in[at], sizeof(int)});
      }
    const auto pending = comm.start(sends, receives);
    pending->wait();
    for (int r = 0; r < n; ++r)
      for (int k = 0; k < 2; ++k)
        EXPECT_EQ(in[static_cast<std::size_t>(2 * r + k)], 1000 * r + 2 * comm.rank() + k);
    EXPECT_EQ(comm.bytes_sent(), static_cast<std::int64_t>(2 * sizeof(int)) * (n - 1));
  });
}

/// What belongs together is settled when an exchange starts, not when it is waited for.
TEST_P(OnRanks, ExchangesMayEndInAnotherOrderThanTheyBegan) {
  run_threads(GetParam(), [](Comm& comm) {
    const int next = (comm.rank() + 1) % comm.size();
    const int before = (comm.rank() + comm.size() - 1) % comm.size();
    const int out[2] = {10 * comm.rank(), 10 * comm.rank() + 1};
    int in[2] = {-1, -1};
    std::unique_ptr<Comm::Pending> pending[2];
    for (int k = 0; k < 2; ++k) {
      const Send send{next, &out[k], sizeof(int)};
      const Receive receive{before, &in[k], sizeof(int)};
      pending[k] = comm.start({&send, 1}, {&receive, 1});
    }
    const int first = comm.rank() % 2;
    pending[first]->wait();
    pending[1 - first]->wait();
    EXPECT_EQ(in[0], 10 * before);
    EXPECT_EQ(in[1], 10 * before + 1);
  });
}

TEST(Threads, AnErrorOnOneRankEndsTheWaitingOfTheOthersAndIsThrownOn) {
  try {
    run_threads(4, [](Comm& comm) {
      if (comm.rank() == 2) throw IoError("two.nii: broken");
      comm.barrier();
    });
    FAIL() << "no error";
  } catch (const IoError& error) {
    EXPECT_STREQ(error.what(), "two.nii: broken");
  }
}

/// What a thread that waits for no message, but for a GPU, looks at.
TEST(Threads, TellWhichRankHasFailed) {
  constexpr auto most = std::chrono::seconds(10);
  int before = 0, after = -1;
  EXPECT_THROW(
      run_threads(3,
                  [&](Comm& comm) {
                    const std::function<int()> failures = comm.failures();
                    if (comm.rank() == 1) return;
                    // Rank 2 fails when rank 0 waits for no message any more.
                    int word = 0;
                    const Send send{2, &word, sizeof(word)};
                    const Receive receive{0, &word, sizeof(word)};
                    if (comm.rank() == 0) before = failures();
                    if (comm.rank() == 0) comm.exchange({&send, 1}, {});
                    if (comm.rank() == 2) {
                      comm.exchange({}, {&receive, 1});
                      throw std::runtime_error("lost");
                    }
                    const auto begin = std::chrono::steady_clock::now();
                    while (failures() < 0 && std::chrono::steady_clock::now() < begin + most)
                      std::this_thread::yield();
                    after = failures();
                  }),
      std::runtime_error);
  EXPECT_EQ(before, -1);
  EXPECT_EQ(after, 2);
}

TEST(Threads, AMessageOfAnotherSizeIsAnErrorThatNamesBothRanks) {
  try {
    run_threads(2, [](Comm& comm) {
      const int value[2] = {};
      int other[2];
      if (comm.rank() == 0) {
        const Send send{1, value, 8};
        comm.exchange({&send, 1}, {});
      } else {
        const Receive receive{0, other, 4};
        comm.exchange({}, {&receive, 1});
      }
    });
    FAIL() << "no error";
  } catch (const CommError& error) {
    EXPECT_STREQ(error.what(), "comm: rank 0 sent 8 bytes to rank 1, which expected 4");
  }
}

/// Two equal ranks would double every count if each added all planes; and the order must be that of
/// the planes, or the large numbers swallow the small ones differently.
TEST_P(OnRanks, OrderedSumHasTheBitsOfOneRank) {
  const Box domain{{0, 0, 0}, {97, 3, 2}};
  const auto plane_value = [](int z) { return z % 7 == 0 ? 1e16 / (z + 1) : -0.1 * z; };
  double whole = 0;
  for (int z = 0; z < domain.hi[0]; ++z) whole += plane_value(z);
  run_threads(GetParam(), [&](Comm& comm) {
    for (const Cut& cut : {Cut(comm, domain), Cut::always(domain, comm.size())}) {
      PlaneSums<double> mine;
      const Box own = cut.own(comm);
      for (int z = own.lo[0]; z < own.hi[0]; ++z) mine.of_planes.push_back(plane_value(z));
      EXPECT_EQ(ordered_sum(comm, cut, mine), whole);
    }
  });
}

TEST(Cut, TilesTheDomainOrLeavesItWhole) {
  const Box domain{{5, 0, 0}, {5 + 47, 9, 8}};
  for (const int ranks : {1, 2, 3, 4, 6, 11, 12, 64}) {
    const Cut cut(domain, ranks);
    EXPECT_EQ(cut.whole(), ranks == 1 || 47 < 4 * ranks);
    int next = domain.lo[0];
    for (int r = 0; r < ranks; ++r) {
      const Box own = cut.own(r);
      if (cut.whole()) {
        EXPECT_EQ(own, domain);
        continue;
      }
      EXPECT_EQ(own.lo[0], next);
      EXPECT_GE(own.size(0), 3);
      next = own.hi[0];
    }
    if (!cut.whole()) {
      EXPECT_EQ(next, domain.hi[0]);
    }
  }
}

}  // namespace
}  // namespace ffdp::dist
