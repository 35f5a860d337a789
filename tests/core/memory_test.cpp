// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include <gtest/gtest.h>

#include "ffdp/core/copy.hpp"
#include "ffdp/core/device.hpp"
#include "ffdp/core/error.hpp"
#include "ffdp/core/field.hpp"
#include "ffdp/core/parallel.hpp"

namespace ffdp {
namespace {

TEST(Buffer, MovesAndIsAligned) {
  Buffer<float> a(Backend::cpu, 100);
  float* const data = a.data();
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(data) % 64, 0U);
  Buffer<float> b = std::move(a);
  EXPECT_EQ(b.data(), data);
  EXPECT_EQ(b.size(), 100U);
}

TEST(Buffer, MoreThanThereIsIsAnErrorThatSaysHowMuch) {
  try {
    const Buffer<char> buffer(Backend::cpu, std::numeric_limits<std::size_t>::max() / 4);
    FAIL() << "no exception for " << buffer.size() << " bytes";
  } catch (const OutOfMemory& error) {
    EXPECT_NE(std::string(error.what()).find("MiB"), std::string::npos) << error.what();
  }
}

TEST(Copy, OnSeveralThreadsIsExact) {
  Context ctx;
  ctx.threads = 3;
  Buffer<int> from(Backend::cpu, (std::size_t{5} << 20U) / sizeof(int) + 7);
  for (std::size_t i = 0; i < from.size(); ++i) from.data()[i] = static_cast<int>(i);
  Buffer<int> to(Backend::cpu, from.size());
  copy(ctx, to, from);
  EXPECT_TRUE(std::equal(to.data(), to.data() + to.size(), from.data()));
}

TEST(Device, ThatIsNotThereIsAnErrorThatSaysSo) {
  if (cuda_devices() > 0) GTEST_SKIP() << "there is a CUDA device";
  EXPECT_FALSE(device_problem(0).empty());
  EXPECT_ANY_THROW(select_device(0));
}

TEST(Context, ScratchKeepsItsSlotApart) {
  Context ctx;
  int* a = ctx.scratch<int>(0, 10);
  int* b = ctx.scratch<int>(1, 10);
  a[9] = 1;
  b[0] = 2;
  EXPECT_EQ(ctx.scratch<int>(0, 10), a);
  EXPECT_EQ(a[9], 1);
}

TEST(ParallelSum, HasTheSameBitsAtAnyThreadCount) {
  struct Sum {
    double value = 0;
    Sum& operator+=(const Sum& other) {
      value += other.value;
      return *this;
    }
  };
  double first = 0;
  for (int threads : {1, 2, 3, 4, 7}) {
    Context ctx;
    ctx.threads = threads;
    const double sum = parallel_sum<Sum>(ctx, 1000, [](std::int64_t i, int) {
                         return Sum{1.0 / static_cast<double>(i + 1)};
                       }).value;
    if (threads == 1) first = sum;
    EXPECT_EQ(sum, first);
  }
}

}  // namespace
}  // namespace ffdp
