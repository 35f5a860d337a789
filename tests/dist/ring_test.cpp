// SPDX-License-Identifier: Apache-2.0
#include "ffdp/dist/ring.hpp"

#include <vector>

#include "tests/support/fields.hpp"

#include <gtest/gtest.h>

#include "ffdp/dist/threads.hpp"

namespace ffdp::dist {
namespace {

template <class T>
T voxel(int z, int y, int x) {
  return static_cast<T>(200 * noise(z, y, x, 3));
}

/// Every rank sees every voxel, in parts that lie on one another by a plane, at each of several
/// passes.
template <class T>
void expect_all_parts(Comm& comm, const Grid& grid, bool masked) {
  const Context ctx;
  const Cut cut(comm, grid.domain());
  const Box own = cut.own(comm);
  const Image<T> image{grid, test::make_field<T>(own, voxel<T>)};
  const Image<std::uint8_t> mask{grid, test::make_field<std::uint8_t>(own, voxel<std::uint8_t>)};
  Ring ring(ctx, comm, image, masked ? &mask : nullptr);
  const std::int64_t sent_before = comm.bytes_sent();
  const int passes = comm.size();
  for (int pass = 0; pass < passes; ++pass) {
    std::vector<int> seen(static_cast<std::size_t>(grid.size[0]), 0);  // cells that begin there
    ring.pass(ctx, [&](const ImageView& part, const View<const std::uint8_t>& part_mask) {
      ASSERT_EQ(bool(part_mask), masked);
      std::int64_t wrong = 0;
      test::for_each_voxel(part.stored, [&](int z, int y, int x) {
        wrong += part.as<T>()(z, y, x) != voxel<T>(z, y, x);
        wrong += masked && part_mask(z, y, x) != voxel<std::uint8_t>(z, y, x);
      });
      EXPECT_EQ(wrong, 0);
      for (int z = part.stored.lo[0]; z + 1 < part.stored.hi[0]; ++z) ++seen[z];
    });
    for (int z = 0; z + 1 < grid.size[0]; ++z) EXPECT_EQ(seen[z], 1) << "plane " << z;
  }
  // In a pass a rank sends on every part but the one that it sees last. After as many passes as
  // there are ranks, each part has been that one once.
  const auto bytes = static_cast<std::int64_t>(sizeof(T) + masked);
  // The mean is rounded down.
  const auto sent = static_cast<double>(comm.bytes_sent() - sent_before);
  EXPECT_NEAR(sent, static_cast<double>(passes * Ring::bytes_sent(cut, bytes)), passes);
}

TEST(Ring, PassesEveryPartToEveryRank) {
  Grid grid;
  grid.size = {26, 5, 7};
  for (const int ranks : {1, 2, 3, 4, 6})
    run_threads(ranks, [&](Comm& comm) {
      for (const bool masked : {false, true}) {
        expect_all_parts<float>(comm, grid, masked);
        expect_all_parts<std::uint16_t>(comm, grid, masked);
      }
    });
}

/// Of an image that is not cut, all ranks have all: it is the only part.
TEST(Ring, HasOnePartWhereEverybodyHasEverything) {
  Grid grid;
  grid.size = {5, 5, 7};
  run_threads(3, [&](Comm& comm) { expect_all_parts<float>(comm, grid, true); });
}

}  // namespace
}  // namespace ffdp::dist
