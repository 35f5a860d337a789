// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.hpp"

#include <chrono>
#include <string>

#include <gtest/gtest.h>

namespace ffdp::cli {
namespace {

using std::chrono::seconds;

/// What is printed of a linear level that began 7 s ago, and of a deformable one that began 2 s
/// ago.
std::string printed() {
  const auto now = std::chrono::steady_clock::now();
  testing::internal::CaptureStderr();
  {
    ProgressPrinter printer(Verbosity::normal);
    const registration::ProgressSink sink = printer.sink();
    sink({"affine", 0, 1, 1, 30, -0.5, 1, now - seconds(7)});
    sink({"deformable", 0, 1, 1, 2, -0.25, -1, now - seconds(2)});
  }
  return testing::internal::GetCapturedStderr();
}

TEST(ProgressPrinter, ALevelTakesTheTimeUntilTheNextOneBegins) {
  const std::string lines = printed();
  EXPECT_NE(lines.find("affine         level 1/1     1 iterations  cost  -0.500000    5.00 s"),
            std::string::npos)
      << lines;
  EXPECT_NE(lines.find("deformable     level 1/1     1 iterations  cost  -0.250000    2.0"),
            std::string::npos)
      << lines;
}

}  // namespace
}  // namespace ffdp::cli
