// SPDX-License-Identifier: Apache-2.0
#include "ffdp/io/gzip_members.hpp"

#include <gtest/gtest.h>

namespace ffdp::io {
namespace {

/// A text of words, of which many places of it, and of other texts, are full.
std::vector<std::byte> words(std::size_t bytes, std::uint32_t seed) {
  std::vector<std::byte> text;
  const auto next = [&](std::uint32_t below) {
    seed = seed * 1664525U + 1013904223U;
    return (seed >> 8U) % below;
  };
  while (text.size() < bytes) {
    const std::uint32_t word = next(200), length = 4 + word % 37;
    for (std::uint32_t i = next(3); i < length; ++i)
      text.push_back(static_cast<std::byte>((word * 2654435761U + i * 40503U) >> 7U));
  }
  return text;
}

/// Which worker packs a member, and what that has packed before, depends on time.
TEST(GzipMembers, AMemberDoesNotDependOnWhatWasPackedBefore) {
  for (const int level : {1, 6}) {
    GzipMembers used("used.nii.gz", level, 1);
    for (std::uint32_t seed = 0; seed < 20; ++seed) {
      const auto text = words(100000, seed);
      GzipMembers fresh("fresh.nii.gz", level, 1);
      EXPECT_TRUE(fresh.pack(text) == used.pack(text)) << "level " << level << ", text " << seed;
    }
  }
}

/// Level 1 stores what would hardly shrink.
TEST(GzipMembers, NoiseIsStoredAndWordsShrink) {
  std::vector<std::byte> noise(1 << 20U);
  std::uint32_t seed = 1;
  for (std::byte& b : noise) {
    seed = seed * 1664525U + 1013904223U;
    b = static_cast<std::byte>((seed >> 24U) % 230);  // 7.8 bits: shrinks by 2 %
  }
  const auto packed = [](const std::vector<std::byte>& data, int level) {
    return GzipMembers("a.nii.gz", level, 1).pack(data).at(0).size();
  };
  EXPECT_GT(packed(noise, 1), noise.size());
  EXPECT_LT(packed(noise, 1), noise.size() + 200);
  EXPECT_LT(packed(noise, 6), noise.size());
  EXPECT_LT(packed(words(noise.size(), 3), 1), noise.size() / 2);
}

}  // namespace
}  // namespace ffdp::io
