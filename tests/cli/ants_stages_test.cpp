// SPDX-License-Identifier: Apache-2.0
// What a stage of antsRegistration asks of the registration.
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "cli/ants/stage_config.hpp"

#include <gtest/gtest.h>

namespace ffdp::cli::ants {
namespace {

/// The deformable stage of a line with this -t and these -m.
registration::DeformableStage stage_of(const std::string& transform,
                                       const std::vector<std::string>& metrics) {
  std::vector<std::string> words{"-d", "3", "-o", "x", "-t", transform};
  for (const std::string& metric : metrics) {
    words.emplace_back("-m");
    words.push_back(metric);
  }
  for (const char* word : {"-c", "20x10", "-f", "2x1", "-s", "1x0"}) words.emplace_back(word);
  const RegistrationLine line = parse_registration(words);
  const Grid fixed{.size = {40, 44, 48}, .spacing = {1, 1, 1}};
  return stage_config(line, line.stages.at(0), fixed).deformable.at(0);
}

TEST(AntsStages, VariancesAreWidthsHere) {
  const auto stage = stage_of("SyN[0.1,12,4]", {"CC[f,m,1,4]"});
  EXPECT_DOUBLE_EQ(stage.sigma_update, 2);
  EXPECT_DOUBLE_EQ(stage.sigma_warp, 2);
}

TEST(AntsStages, WithoutCcTheWarpIsSmoothedMore) {
  for (const std::string transform : {"SyN[0.1,3,0]", "BSplineSyN[0.1,26]"}) {
    EXPECT_DOUBLE_EQ(stage_of(transform, {"CC[f,m,1,4]"}).sigma_warp, 0.7071);
    EXPECT_DOUBLE_EQ(stage_of(transform, {"MI[f,m,1,32]", "CC[f,m,1,4]"}).sigma_warp, 0.7071);
    for (const std::string metric : {"MI[f,m,1,32]", "GC[f,m,1,1]", "MeanSquares[f,m,1,1]"})
      EXPECT_DOUBLE_EQ(stage_of(transform, {metric}).sigma_warp, 1) << metric;
  }
  EXPECT_DOUBLE_EQ(stage_of("SyN[0.1,3,9]", {"MI[f,m,1,32]"}).sigma_warp, 3);
}

}  // namespace
}  // namespace ffdp::cli::ants
