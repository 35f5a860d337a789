// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/program.hpp"
#include <unistd.h>

#include <gtest/gtest.h>

#include "ffdp/io/nifti.hpp"

namespace ffdp::cli {
namespace {

namespace fs = std::filesystem;
using test::run_program;

class RegisterProgram : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder = fs::temp_directory_path() / ("ffdp_register_test_" + std::to_string(getpid()));
    fs::create_directories(folder);
    const auto made = run_program(
        "phantom -q --pair --size 40x48x40 --spacing 4 --rotate 5 -4 8 "
        "--translate 6 -4 5 -o " +
        path("b"));
    ASSERT_EQ(made.code, 0) << made.text;
    const auto outcome =
        run_program("register " + path("b_fixed.nii.gz") + " " + path("b_moving.nii.gz") +
                    " --moving-labels " + path("b_moving_labels.nii.gz") + " -o " + path("sub/r_"));
    ASSERT_EQ(outcome.code, 0) << outcome.text;
  }
  static void TearDownTestSuite() { fs::remove_all(folder); }
  static std::string path(const std::string& name) { return (folder / name).string(); }

  /// Largest difference between two images over the range of the first.
  static double difference(const std::string& a, const std::string& b) {
    const auto x = io::read_image<float>(a), y = io::read_image<float>(b);
    EXPECT_EQ(x.grid.size, y.grid.size);
    float lo = INFINITY, hi = -INFINITY, most = 0;
    for (std::int64_t i = 0; i < x.data.size(); ++i) {
      lo = std::min(lo, x.data.data()[i]);
      hi = std::max(hi, x.data.data()[i]);
      most = std::max(most, std::abs(x.data.data()[i] - y.data.data()[i]));
    }
    return most / (hi - lo);
  }
  static fs::path folder;
};
fs::path RegisterProgram::folder;

TEST_F(RegisterProgram, WritesEveryFileOfDesign6) {
  for (const char* name : {"0GenericAffine.mat", "1Warp.nii.gz", "1InverseWarp.nii.gz",
                           "Warped.nii.gz", "InverseWarped.nii.gz", "WarpedLabels.nii.gz", ".json"})
    EXPECT_TRUE(fs::exists(path(std::string("sub/r_") + name))) << name;
  EXPECT_EQ(std::distance(fs::directory_iterator(path("sub")), fs::directory_iterator{}), 7);
}

TEST_F(RegisterProgram, WritesOnlyWhatIsWanted) {
  const auto outcome = run_program("register --preset rigid --write warped -o " + path("only/r_") +
                                   " " + path("b_fixed.nii.gz") + " " + path("b_moving.nii.gz"));
  ASSERT_EQ(outcome.code, 0) << outcome.text;
  EXPECT_NE(outcome.text.find("r_{0GenericAffine.mat,Warped.nii.gz,.json}"), std::string::npos)
      << outcome.text;
  for (const char* name : {"0GenericAffine.mat", "Warped.nii.gz", ".json"})
    EXPECT_TRUE(fs::exists(path(std::string("only/r_") + name))) << name;
  EXPECT_EQ(std::distance(fs::directory_iterator(path("only")), fs::directory_iterator{}), 3);
}

TEST_F(RegisterProgram, ItsTransformsReproduceItsWarpedImages) {
  const std::string p = path("sub/r_");
  auto outcome = run_program("apply -q -i " + path("b_moving.nii.gz") + " -r " +
                             path("b_fixed.nii.gz") + " -t " + p + "1Warp.nii.gz -t " + p +
                             "0GenericAffine.mat -o " + path("again.nii.gz"));
  ASSERT_EQ(outcome.code, 0) << outcome.text;
  EXPECT_LT(difference(p + "Warped.nii.gz", path("again.nii.gz")), 1e-3);
  outcome = run_program("apply -q -i " + path("b_fixed.nii.gz") + " -r " + path("b_moving.nii.gz") +
                        " -t [" + p + "0GenericAffine.mat,1] -t " + p + "1InverseWarp.nii.gz -o " +
                        path("inverse.nii.gz"));
  ASSERT_EQ(outcome.code, 0) << outcome.text;
  EXPECT_LT(difference(p + "InverseWarped.nii.gz", path("inverse.nii.gz")), 1e-3);
}

TEST_F(RegisterProgram, ARecipeReproducesTheConfiguration) {
  const auto first = run_program("register --preset accurate --sigma-warp 0.9 --print-config");
  ASSERT_EQ(first.code, 0) << first.text;
  std::ofstream(path("recipe.json")) << first.text;
  const auto second = run_program("register -c " + path("recipe.json") + " --print-config");
  EXPECT_EQ(first.text, second.text);
  const auto changed = run_program("register -c " + path("recipe.json") +
                                   " --set deformable/0/metrics/0/radius=5 --print-config");
  EXPECT_NE(changed.text.find("\"radius\": 5"), std::string::npos);
}

TEST_F(RegisterProgram, BadInputEndsInOneLineAndNoFile) {
  const std::string fixed = path("b_fixed.nii.gz"), moving = path("b_moving.nii.gz");
  std::ofstream(path("unknown.json")) << R"({"deformable": [{"stepp": 1}]})";
  std::ofstream(path("word.json")) << R"({"initialization": "nearest"})";
  fs::copy_file(fixed, path("short.nii.gz"));
  fs::resize_file(path("short.nii.gz"), fs::file_size(fixed) / 2);
  const struct {
    std::string arguments, wanted;
  } cases[] = {
      {path("none.nii.gz") + " " + moving, "none.nii.gz"},
      {path("short.nii.gz") + " " + moving, "short.nii.gz"},
      {fixed + " " + path("b_true_warp.nii.gz"), "b_true_warp.nii.gz"},
      {fixed + " " + moving + " --preset quick", "quick"},
      {fixed + " " + moving + " --metric ssd", "ssd"},
      {fixed + " " + moving + " --iterations 10xa", "10xa"},
      {fixed + " " + moving + " --set deformable/0/stepp=1", "stepp"},
      {fixed + " " + moving + " --set deformable/0/step=3", "step"},
      {fixed + " " + moving + " -c " + path("unknown.json"), "stepp"},
      {fixed + " " + moving + " -c " + path("word.json"), "nearest"},
      {fixed + " " + moving + " --fixed-mask " + path("none.nii"), "none.nii"},
      {fixed + " " + moving + " --fixed-mask " + moving + " --metric lncc,radius=0", "radius"},
      {fixed + " " + moving + " -t " + path("none.mat"), "none.mat"},
      {fixed + " " + moving + " --device gpu", "cuda:N is wanted"},
      {fixed + " " + moving + " --device cuda:1000", "--device cuda:1000: "},
  };
  for (const auto& c : cases) {
    const auto outcome = run_program("register -o " + path("bad/r_") + " " + c.arguments);
    EXPECT_EQ(outcome.code, 1) << c.arguments << ": " << outcome.text;
    EXPECT_NE(outcome.text.find(c.wanted), std::string::npos)
        << c.arguments << ": " << outcome.text;
    EXPECT_EQ(std::count(outcome.text.begin(), outcome.text.end(), '\n'), 1) << outcome.text;
    EXPECT_TRUE(!fs::exists(path("bad")) || fs::is_empty(path("bad"))) << c.arguments;
  }
  const auto unwritable = run_program("register -o /proc/ffdp/r_ " + fixed + " " + moving);
  EXPECT_EQ(unwritable.code, 1);
  EXPECT_NE(unwritable.text.find("/proc/ffdp"), std::string::npos) << unwritable.text;
}

TEST_F(RegisterProgram, BothDevicesWriteTheSameFiles) {
  const auto run = [&](const std::string& device) {
    return run_program("register -q --init identity --linear none --device " + device + " -o " +
                       path(device + "_") + " " + path("b_fixed.nii.gz") + " " +
                       path("b_moving.nii.gz") + " --moving-labels " +
                       path("b_moving_labels.nii.gz"));
  };
  ASSERT_EQ(run("cpu").code, 0);
  const auto outcome = run("cuda");
  if (outcome.code != 0) {
    EXPECT_NE(outcome.text.find("ffdp: --device cuda: "), std::string::npos) << outcome.text;
    GTEST_SKIP() << outcome.text;
  }
  for (const char* name : {"Warped.nii.gz", "InverseWarped.nii.gz"})
    EXPECT_LT(difference(path(std::string("cpu_") + name), path(std::string("cuda_") + name)), 0.01)
        << name;
}

TEST_F(RegisterProgram, QuietPrintsNothing) {
  const auto outcome = run_program("register -q --preset rigid -o " + path("q_") + " " +
                                   path("b_fixed.nii.gz") + " " + path("b_moving.nii.gz"));
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.text, "");
}

TEST_F(RegisterProgram, VerbosePrintsDiagnosticLines) {
  const auto outcome = run_program("register -v --preset rigid -o " + path("v_") + " " +
                                   path("b_fixed.nii.gz") + " " + path("b_moving.nii.gz"));
  EXPECT_EQ(outcome.code, 0);
  EXPECT_NE(outcome.text.find("XXDIAGNOSTIC,Iteration,metricValue,convergenceValue"),
            std::string::npos);
  EXPECT_NE(outcome.text.find("\n1DIAGNOSTIC,    1, "), std::string::npos) << outcome.text;
}

}  // namespace
}  // namespace ffdp::cli
