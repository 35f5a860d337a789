// SPDX-License-Identifier: Apache-2.0
// Parts of a file, made apart, come to the bytes that its writer alone would write.
#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/support/data.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/noise.hpp"
#include "ffdp/io/nifti.hpp"

namespace ffdp::io {
namespace {

constexpr std::int64_t volumes = 2;

Grid grid() {
  Grid g;
  g.size = {10, 400, 500};
  return g;
}

std::vector<float> values_of(std::int64_t volume) {
  std::vector<float> values(static_cast<std::size_t>(grid().domain().volume()));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = 100 * noise(static_cast<int>(volume), 0, static_cast<int>(i / 7), 3);
  return values;
}

/// The file of one writer, which makes the first `cuts[0]` values of each volume; the others come
/// from a part for each further stretch between the cuts.
std::string file_of(const std::string& path, const WriteOptions& options,
                    const std::vector<std::int64_t>& cuts) {
  NiftiWriter writer(path, grid(), {.volumes = volumes}, options);
  for (std::int64_t v = 0; v < volumes; ++v) {
    const std::vector<float> values = values_of(v);
    const std::int64_t begin = writer.position();
    writer.write(values.data(), cuts[0]);
    for (std::size_t i = 1; i < cuts.size(); ++i) {
      NiftiPart part(path, options);
      part.begin(begin + cuts[i - 1] * static_cast<std::int64_t>(size_of(options.type)));
      const std::int64_t count = cuts[i] - cuts[i - 1], half = count / 2;
      part.write(values.data() + cuts[i - 1], half);
      part.write(values.data() + cuts[i - 1] + half, count - half);
      writer.append(part.take());
    }
  }
  writer.commit();
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Some parts fill many gzip members, others none, and one ends where a member does.
TEST(NiftiPart, PartsComeToTheBytesOfOneWriter) {
  const test::TemporaryFolder folder;
  const std::int64_t all = grid().domain().volume();
  const std::int64_t header = 352, member = 1 << 20;
  for (const char* name : {"a.nii.gz", "a.nii"})
    for (const DataType type : {DataType::float32, DataType::int16}) {
      WriteOptions options;
      options.type = type;
      options.threads = 2;
      const auto size = static_cast<std::int64_t>(size_of(type));
      const std::string one = file_of(folder / name, options, {all});
      EXPECT_TRUE(one == file_of(folder / name, options, {all / 3, all / 2, all})) << name;
      EXPECT_TRUE(one == file_of(folder / name, options,
                                 {0, 5, 9, (member - header) / size, 1'300'000, all - 1, all}))
          << name;
    }
}

}  // namespace
}  // namespace ffdp::io
