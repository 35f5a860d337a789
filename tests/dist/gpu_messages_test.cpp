// SPDX-License-Identifier: Apache-2.0
// Fetch, its adjoint and reductions in memory of GPUs, by every transport: what the host gives.
// Ranks take the GPUs of this machine in turn, so that all of it but NCCL runs on one.
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <utility>
#include <vector>

#include "tests/dist/boxes.hpp"
#include "tests/support/device.hpp"
#include "tests/support/fields.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/copy.hpp"
#include "ffdp/core/error.hpp"
#include "ffdp/core/half.hpp"
#include "ffdp/dist/fetch.hpp"
#include "ffdp/dist/reduction.hpp"
#include "ffdp/dist/threads.hpp"

namespace ffdp::dist {
namespace {

using namespace test::boxes;

/// Runs body(ctx, comm) on ranks, each with a GPU and a stream, and waits for what it started.
template <class Body>
void run_on_gpus(int ranks, Transport transport, Body&& body) {
  run_threads(ranks, [&](Comm& comm) {
    select_device(comm.rank() % cuda_devices());
    Context ctx;
    ctx.backend = Backend::cuda;
    const Stream stream(ctx.backend);
    ctx.stream = stream.get();
    comm.use_device(transport);
    body(ctx, comm);
    synchronize(ctx);
    comm.barrier();
  });
}

/// Runs body(ctx, comm) on ranks with a GPU each, by every transport that this machine has.
template <class Body>
void on_gpus(Body&& body) {
  if (!test::has_device()) return;
  const int gpus = cuda_devices();
  std::vector<std::pair<int, Transport>> runs{{1, Transport::automatic},
                                              {2, Transport::peer},
                                              {3, Transport::peer},
                                              {6, Transport::automatic},
                                              {3, Transport::staged}};
  if (gpus >= 2 && test::has_nccl()) runs.emplace_back(gpus, Transport::nccl);
  for (const auto& [ranks, transport] : runs)
    run_on_gpus(ranks, transport, [&](Context& ctx, Comm& comm) {
      SCOPED_TRACE(comm.transport() + " " + std::to_string(comm.size()));
      body(ctx, comm);
    });
}

TEST(GpuMessages, FetchGivesEveryBoxOfAnyField) {
  on_gpus([](Context& ctx, Comm& comm) {
    Context host;
    const Cut cut = Cut::always(domain, comm.size());
    const Box own = cut.own(comm);
    const auto scalar = test::make_field(own, value);
    const auto vector = test::make_vector_field(
        own, [](int c, int z, int y, int x) { return value(z, y, x) + 0.25F * c; });
    const auto bytes = test::make_field<std::uint8_t>(
        own, [](int z, int y, int x) { return (7 * z + 3 * y + x) & 255; });
    const auto there = copy_to(ctx, Backend::cuda, scalar);
    const auto vector_there = copy_to(ctx, Backend::cuda, vector);
    const auto bytes_there = copy_to(ctx, Backend::cuda, bytes);
    for (int kind = 0; kind < 4; ++kind) {
      const Box box = wanted_by(comm.rank(), own, kind);
      const auto same = [&](const auto& on_host, const auto& on_device) {
        const auto got = copy_to(ctx, Backend::cpu, fetched(ctx, comm, cut, on_device, box));
        const auto want = fetched(host, comm, cut, on_host, box);
        EXPECT_TRUE(std::equal(got.begin(), got.end(), want.begin(), want.end()))
            << "kind " << kind << ", rank " << comm.rank();
      };
      same(scalar, there);
      same(vector, vector_there);
      same(bytes, bytes_there);
    }
  });
}

/// A halo in place, many times and without waiting in between: each must carry the values of its
/// round, which the stream writes before and after it.
TEST(GpuMessages, HalosFollowTheWorkOnTheStream) {
  on_gpus([](Context& ctx, Comm& comm) {
    const Cut cut = Cut::always(domain, comm.size());
    const Box own = cut.own(comm), halo = intersect(grow(own, Int3{2, 0, 0}), domain);
    const Fetch fetch(comm, cut, halo);
    constexpr int rounds = 20;
    VectorField<float> u(ctx.backend, halo);
    std::vector<VectorField<float>> values, seen;
    for (int k = 0; k < rounds; ++k) {
      values.push_back(
          copy_to(ctx, ctx.backend, test::make_vector_field(own, [&](int c, int z, int y, int x) {
                    return value(z, y, x) + 0.25F * c + 1000000.0F * k;
                  })));
      seen.emplace_back(ctx.backend, halo);
    }
    for (int k = 0; k < rounds; ++k) {
      copy_voxels(ctx, std::as_const(values[k]).view(), u.view(), own);
      fetch(ctx, std::as_const(u).view(), u.view());
      copy_voxels(ctx, std::as_const(u).view(), seen[k].view(), halo);
    }
    for (int k = 0; k < rounds; ++k) {
      const auto got = copy_to(ctx, Backend::cpu, seen[k]);
      int wrong = 0;
      test::for_each_voxel(halo, [&](int z, int y, int x) {
        for (int c = 0; c < 3; ++c)
          wrong += got.view()[c](z, y, x) != value(z, y, x) + 0.25F * c + 1000000.0F * k;
      });
      EXPECT_EQ(wrong, 0) << "round " << k << ", rank " << comm.rank();
    }
  });
}

TEST(GpuMessages, AdjointAddsAsTheHostDoes) {
  on_gpus([](Context& ctx, Comm& comm) {
    Context host;
    const Cut cut = Cut::always(domain, comm.size());
    const Box own = cut.own(comm);
    for (int kind = 0; kind < 4; ++kind) {
      const Box box = wanted_by(comm.rank(), own, kind);
      const Fetch fetch(comm, cut, box);
      const auto from = test::make_field(box, [&](int z, int y, int x) {
        return test::smooth_noise(z, y, x, 4, 3 + static_cast<unsigned>(comm.rank()));
      });
      auto want = test::make_field(own, value);
      auto to = copy_to(ctx, ctx.backend, want);
      fetch.adjoint(host, from.view(), want.view());
      fetch.adjoint(ctx, copy_to(ctx, ctx.backend, from).view(), to.view());
      const auto got = copy_to(ctx, Backend::cpu, to);
      EXPECT_TRUE(std::equal(got.begin(), got.end(), want.begin(), want.end()))
          << "kind " << kind << ", rank " << comm.rank();
    }
  });
}

TEST(GpuMessages, ReductionsAreThoseOfTheRanks) {
  on_gpus([](Context& ctx, Comm& comm) {
    constexpr int count = 700;
    const int n = comm.size();
    Buffer<std::int64_t> counts(Backend::cpu, count), sums(ctx.backend, count);
    for (int i = 0; i < count; ++i)
      counts.data()[i] = (std::int64_t{1} << 40U) * (comm.rank() + 1) + i;
    copy(ctx, sums, counts);
    Reduction add(ctx, comm, count * sizeof(std::int64_t));
    add.sum(ctx, comm, sums.data());
    copy(ctx, counts, sums);
    for (int i = 0; i < count; ++i)
      ASSERT_EQ(counts.data()[i], (std::int64_t{1} << 40U) * n * (n + 1) / 2 + std::int64_t{i} * n);
    Buffer<float> mine(Backend::cpu, 1), largest(ctx.backend, 1);
    Reduction most(ctx, comm, sizeof(float));
    for (int round = 0; round < 10; ++round) {
      mine.data()[0] = static_cast<float>((comm.rank() * 7 + round) % n);
      copy(ctx, largest, mine);
      most.max(ctx, comm, largest.data());
      copy(ctx, mine, largest);
      float want = 0;
      for (int r = 0; r < n; ++r) want = std::max(want, static_cast<float>((r * 7 + round) % n));
      EXPECT_EQ(mine.data()[0], want);
    }
  });
}

TEST(GpuMessages, NeedADeviceThatWasNamed) {
  SoloComm comm;
  Context ctx;
  ctx.backend = Backend::cuda;
  const float value = 0;
  const Send send{0, &value, sizeof(value)};
  EXPECT_THROW(comm.start(ctx, {&send, 1}, {}), InvalidArgument);
  EXPECT_TRUE(comm.transport().empty());
}

/// A message that never comes must not keep the others waiting.
TEST(GpuMessages, ARankThatFailsEndsTheWaitingOfTheOthers) {
  if (!test::has_device()) return;
  const int gpus = cuda_devices();
  std::vector<Transport> transports{Transport::peer, Transport::staged};
  if (gpus >= 2 && test::has_nccl()) transports.push_back(Transport::nccl);
  for (const Transport transport : transports) {
    const auto begin = std::chrono::steady_clock::now();
    try {
      run_on_gpus(2, transport, [&](Context& ctx, Comm& comm) {
        if (comm.rank() == 1) throw std::runtime_error("rank 1 has lost its way");
        const Buffer<char> room(Backend::cuda, 1 << 20U);
        const Receive receive{1, room.data(), room.size()};
        comm.start(ctx, {}, {&receive, 1})->wait();
        synchronize(ctx);
        comm.barrier();
        ADD_FAILURE() << "nobody said that a rank failed";
      });
      ADD_FAILURE() << "no error";
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "rank 1 has lost its way");
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    EXPECT_LT(seconds.count(), 20);
  }
}

}  // namespace
}  // namespace ffdp::dist
