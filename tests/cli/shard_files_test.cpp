// SPDX-License-Identifier: Apache-2.0
// Ranks of one machine write a file together: each writes what it made.
#include "cli/shard_files.hpp"

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/support/data.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/noise.hpp"
#include "ffdp/dist/threads.hpp"

namespace ffdp::cli {
namespace {

constexpr std::int64_t volumes = 2, ranks = 3;

Grid grid() {
  Grid g;
  g.size = {48, 300, 320};
  return g;
}

/// Random, so that compression leaves them as large as they are.
Field<float> values_of(const Box& box, std::int64_t volume) {
  Field<float> values(Backend::cpu, box);
  const View<float> v = values.view();
  for (int z = box.lo[0]; z < box.hi[0]; ++z)
    for (int y = 0; y < box.hi[1]; ++y)
      for (int x = 0; x < box.hi[2]; ++x)
        v(z, y, x) = noise(z, y, x, static_cast<std::uint32_t>(volume));
  return values;
}

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(ShardWriter, RanksOfOneMachineWriteWhatTheyMadeThemselves) {
  const test::TemporaryFolder folder;
  const std::int64_t part = grid().domain().volume() / ranks * 4 * volumes;  // [bytes]
  for (const std::string name : {"f.nii.gz", "f.nii"}) {
    const std::string one = folder / ("one_" + name), many = folder / ("many_" + name);
    io::NiftiWriter writer(one, grid(), {.volumes = volumes}, {});
    for (std::int64_t v = 0; v < volumes; ++v) {
      const Field<float> values = values_of(grid().domain(), v);
      writer.write(static_cast<const float*>(values.data()), values.size());
    }
    writer.commit();
    std::vector<std::int64_t> sent(ranks);
    dist::run_threads(ranks, [&](dist::Comm& comm) {
      ShardWriter shards(comm, many, grid(), {.volumes = volumes}, {});
      for (std::int64_t v = 0; v < volumes; ++v) {
        const Field<float> values = values_of(shards.own(), v);
        shards.write(static_cast<const float*>(values.data()), values.size());
        shards.end_volume();
      }
      shards.commit();
      sent[static_cast<std::size_t>(comm.rank())] = comm.bytes_sent();
    });
    EXPECT_TRUE(content(one) == content(many)) << name;
    // To rank 0 go at most two parts of a member at the ends of each volume.
    for (const std::int64_t bytes : sent) EXPECT_LT(bytes, part / 2) << name;
    EXPECT_GT(part, 10 << 20U);
  }
}

}  // namespace
}  // namespace ffdp::cli
