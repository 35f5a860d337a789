// SPDX-License-Identifier: Apache-2.0
// What the program counts for its files in the plan.
#include <string>
#include <vector>

#include "cli/register_output.hpp"

#include <gtest/gtest.h>

namespace ffdp::cli {
namespace {

constexpr std::int64_t fixed = 512LL * 512 * 512, moving = 2 * fixed, slab = 4LL << 23;

registration::CallerMemory needs(std::vector<std::string> files, Backend backend,
                                 const char* preset = "default") {
  OutputOptions o;
  o.files = std::move(files);
  return output_memory(o)(registration::preset(preset), backend, fixed, moving);
}

TEST(OutputMemory, OfAGpuHasWarpInverseImagesAndASlabOfEachFile) {
  const auto after = [](std::vector<std::string> files, const char* preset = "default") {
    const auto memory = needs(std::move(files), Backend::cuda, preset);
    EXPECT_EQ(memory.kept, 0);
    return memory.after;
  };
  EXPECT_EQ(after(optional_files), 24 * fixed + 4 * (fixed + moving) + 7 * slab);
  EXPECT_EQ(after({"warp"}), 24 * fixed + slab);
  EXPECT_EQ(after({"inverse-warp"}), 24 * fixed + slab);
  EXPECT_EQ(after({"warped"}), 24 * fixed + 4 * moving + slab);
  EXPECT_EQ(after({"warped", "inverse-warped"}, "affine"), 4 * (fixed + moving) + 2 * slab);
  EXPECT_EQ(after({"warp"}, "affine"), 0);
}

TEST(OutputMemory, OfTheCpuIsWhatTheWarpedImagesAreMadeFrom) {
  EXPECT_EQ(needs(optional_files, Backend::cpu).kept, 4 * (fixed + moving));
  EXPECT_EQ(needs({"warp", "warped"}, Backend::cpu).kept, 4 * moving);
  EXPECT_EQ(needs({"inverse-warped"}, Backend::cpu).kept, 4 * fixed);
  EXPECT_EQ(needs(optional_files, Backend::cpu).after, 0);
}

}  // namespace
}  // namespace ffdp::cli
