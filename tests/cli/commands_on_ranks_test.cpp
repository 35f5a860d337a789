// SPDX-License-Identifier: Apache-2.0
// The commands beside register on several ranks, as threads and under mpirun: the bytes of one, in
// files and on the terminal.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "tests/support/data.hpp"
#include "tests/support/fields.hpp"
#include "tests/support/program.hpp"

#include <gtest/gtest.h>

#include "ffdp/io/nifti.hpp"
#include "ffdp/io/points_csv.hpp"
#include "ffdp/io/transform_file.hpp"

namespace ffdp::cli {
namespace {

namespace fs = std::filesystem;
using test::Outcome;

#if defined(FFDP_HAS_MPI)
constexpr bool has_mpi = true;
#else
constexpr bool has_mpi = false;
#endif

/// A phantom pair with its true warp, and what else the commands take; all made once.
class Inputs {
 public:
  Inputs() {
    // Open MPI refuses to run as root unless told that this is meant.
    setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
    setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
    made_ = test::run_program(
        "phantom -q --pair --size 100x72x44 --spacing 2x2.5x4 --rotate 5 -4 8 "
        "--type uint16 -o " +
        (folder_ / "p"));
    if (made_.code != 0) return;
    warp_ = io::read_displacement(folder_ / "p_true_warp.nii.gz");
    io::write_displacement(folder_ / "raw_warp.nii", warp_, {});
    io::write_displacement(
        folder_ / "backwards.nii.gz",
        {warp_.grid, test::make_vector_field(warp_.grid.domain(),
                                             [&](int c, int z, int y, int x) {
                                               return -0.9F * warp_.data.view()[c](z, y, x);
                                             })},
        {});
    write_coarse_warp();
    write_series();
    io::write_affine(folder_ / "turn.mat",
                     {{{{0.98, -0.17, 0.02}, {0.17, 0.98, 0.03}, {-0.02, -0.03, 1.1}}}, {3, -2, 5}},
                     {}, 3);
    io::PointsTable table;
    table.columns = {"x", "y", "z"};
    for (int i = 0; i < 23; ++i) {
      const Vec3 p = warp_.grid.to_world()({2.0 * i, 3.0 * i, 4.5 * i});
      table.points.push_back(p);
      table.cells.push_back({"", "", ""});
    }
    io::write_points(folder_ / "points.csv", table);
    io::write_image(folder_ / "raw.nii", io::read_image<float>(folder_ / "p_moving.nii.gz"), {});
  }

  const Outcome& made() const { return made_; }
  std::string path() const { return folder_.path(); }

 private:
  /// On a grid of its own, turned, with vectors missing.
  void write_coarse_warp() {
    Grid grid = warp_.grid;
    grid.size = {30, 31, 33};
    grid.spacing = {6, 5.5, 5};
    grid.direction = {{{0, -1, 0}, {1, 0, 0}, {0, 0, 1}}};
    const Vec3 middle = warp_.grid.centre(), here = grid.centre();
    for (int c = 0; c < 3; ++c) grid.origin[c] += middle[c] - here[c];
    DisplacementImage coarse{
        grid, test::make_vector_field(grid.domain(), [](int c, int z, int y, int x) {
          return 30 * test::smooth_noise(z, y, x, 9, static_cast<unsigned>(c)) - 12;
        })};
    io::write_displacement(folder_ / "coarse_warp.nii.gz", coarse, {});
    for (int x = 3; x < 9; ++x) coarse.data.view()[1](17, 11, x) = 1e20F;
    io::write_displacement(folder_ / "holes_warp.nii.gz", coarse, {});
  }
  /// Three volumes.
  void write_series() {
    io::Series series;
    series.volumes = 3;
    io::WriteOptions options;
    options.type = io::DataType::int16;
    io::NiftiWriter writer(folder_ / "series.nii.gz", warp_.grid, series, options);
    for (int v = 0; v < 3; ++v) {
      const auto values = test::make_field(warp_.grid.domain(), [&](int z, int y, int x) {
        return 900 * test::smooth_noise(z, y, x, 5, static_cast<unsigned>(v)) - 100 * v;
      });
      writer.write(values.data(), values.size());
    }
    writer.commit();
  }

  test::TemporaryFolder folder_;
  Outcome made_;
  DisplacementImage warp_;
};

std::string content(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// What a command leaves: its files by their names, and its words.
struct Left {
  std::map<std::string, std::string> files;
  Outcome outcome;
};

class CommandsOnRanks : public testing::Test {
 protected:
  static void SetUpTestSuite() { inputs_ = new Inputs; }
  static void TearDownTestSuite() {
    delete inputs_;
    inputs_ = nullptr;
  }
  void SetUp() override { ASSERT_EQ(inputs_->made().code, 0) << inputs_->made().text; }

  /// Runs the program in an empty folder; {} in the arguments stands for the folder of the inputs.
  static Left run(std::string arguments, const std::string& launcher, const std::string& option) {
    for (auto at = arguments.find("{}"); at != std::string::npos; at = arguments.find("{}"))
      arguments.replace(at, 2, inputs_->path());
    const test::TemporaryFolder folder;
    Left left;
    left.outcome = test::run_command("cd " + folder.path() + " && " + launcher + " " +
                                     FFDP_PROGRAM + " " + arguments + " --threads 2 " + option);
    for (const auto& entry : fs::directory_iterator(folder.path()))
      left.files[entry.path().filename().string()] = content(entry.path());
    return left;
  }

  static void expect_same(const Left& one, const Left& several, const std::string& who) {
    EXPECT_EQ(several.outcome.code, one.outcome.code) << who << ": " << several.outcome.text;
    EXPECT_EQ(several.outcome.text, one.outcome.text) << who;
    EXPECT_EQ(several.files.size(), one.files.size()) << who;
    for (const auto& [name, bytes] : one.files) {
      ASSERT_TRUE(several.files.contains(name)) << who << ": no " << name;
      EXPECT_TRUE(several.files.at(name) == bytes) << who << ": other bytes in " << name;
    }
  }

  /// The command leaves `files` files, which are the same on any number of ranks.
  static void same_on_all(const std::string& arguments, std::size_t files) {
    SCOPED_TRACE(arguments);
    const Left one = run(arguments, "", "");
    ASSERT_EQ(one.outcome.code, 0) << one.outcome.text;
    ASSERT_EQ(one.files.size(), files) << one.outcome.text;
    for (const char* ranks : {"2", "3", "6"})
      expect_same(one, run(arguments, "", std::string("--ranks ") + ranks),
                  std::string(ranks) + " ranks");
    if (has_mpi) expect_same(one, run(arguments, "mpirun --oversubscribe -n 2", ""), "2 processes");
  }

  static inline Inputs* inputs_ = nullptr;
};

const std::string onto_fixed = " -r {}/p_fixed.nii.gz -t {}/p_true_warp.nii.gz ";

TEST_F(CommandsOnRanks, ApplyInEveryInterpolation) {
  for (const char* how : {"linear", "sinc", "bspline"})
    same_on_all("apply -i {}/p_moving.nii.gz" + onto_fixed + "-o a.nii.gz -n " + how, 1);
  for (const char* how : {"nearest", "label"})
    same_on_all("apply -i {}/p_moving_labels.nii.gz" + onto_fixed + "-o a.nii.gz -n " + how, 1);
}

TEST_F(CommandsOnRanks, ApplyToRawFilesAndToOtherTypes) {
  same_on_all("apply -i {}/raw.nii -r {}/p_fixed.nii.gz -t {}/raw_warp.nii -o a.nii", 1);
  same_on_all(
      "apply -i {}/raw.nii" + onto_fixed + "--output-type int16 --compression 6 -o a.nii.gz", 1);
}

/// Warps on other grids, warps inverted on the fly, affines between them: every field gives a rank
/// another box.
TEST_F(CommandsOnRanks, ApplyThroughChains) {
  same_on_all(
      "apply -i {}/p_moving.nii.gz -r {}/p_fixed.nii.gz --default-value -7 -t {}/turn.mat "
      "-t {}/coarse_warp.nii.gz -t [{}/turn.mat,1] -t {}/p_true_warp.nii.gz -o a.nii.gz",
      1);
  same_on_all(
      "apply -i {}/p_fixed_labels.nii.gz -r {}/p_moving.nii.gz -n label -t "
      "[{}/p_true_warp.nii.gz,1] -t {}/holes_warp.nii.gz -o a.nii.gz",
      1);
}

TEST_F(CommandsOnRanks, ApplyToSeries) {
  same_on_all("apply -i {}/series.nii.gz" + onto_fixed + "--default-value min -o a.nii.gz", 1);
}

TEST_F(CommandsOnRanks, ApplyToPoints) {
  same_on_all(
      "apply -i {}/points.csv -t {}/coarse_warp.nii.gz -t {}/turn.mat -t "
      "{}/raw_warp.nii -o a.csv",
      1);
}

TEST_F(CommandsOnRanks, Compose) {
  same_on_all("compose -r {}/p_fixed.nii.gz -t {}/turn.mat -t {}/coarse_warp.nii.gz -o a.nii.gz",
              1);
  same_on_all("compose -r {}/p_fixed.nii.gz -t {}/p_true_warp.nii.gz -o a.nii.gz", 1);
  same_on_all("compose -t {}/turn.mat -t [{}/turn.mat,1] -o a.mat", 1);
}

TEST_F(CommandsOnRanks, Invert) {
  same_on_all("invert -t {}/p_true_warp.nii.gz -o a.nii.gz", 1);
  same_on_all("invert -t {}/turn.mat -o a.txt", 1);
}

TEST_F(CommandsOnRanks, Composites) {
  const Left made = run("compose -t {}/coarse_warp.nii.gz -t {}/turn.mat -o {}/both.h5", "", "");
  if (made.outcome.text.find("this build cannot write HDF5") != std::string::npos)
    GTEST_SKIP() << made.outcome.text;
  ASSERT_EQ(made.outcome.code, 0) << made.outcome.text;
  same_on_all("compose -t {}/both.h5 -t [{}/turn.mat,1] -o a.h5", 1);
  same_on_all("apply -i {}/p_moving.nii.gz -r {}/p_fixed.nii.gz -t {}/both.h5 -o a.nii.gz", 1);
  same_on_all("invert -t {}/both.h5 -r {}/p_fixed.nii.gz -o a.nii.gz", 1);
  same_on_all("jacobian {}/both.h5 -o a.nii.gz", 1);
}

TEST_F(CommandsOnRanks, Jacobian) {
  same_on_all("jacobian {}/p_true_warp.nii.gz -o a.nii.gz", 1);
  same_on_all("jacobian {}/holes_warp.nii.gz --log -o a.nii", 1);
}

TEST_F(CommandsOnRanks, EvaluateLabels) {
  same_on_all(
      "evaluate --fixed-labels {}/p_fixed_labels.nii.gz --warped-labels "
      "{}/p_moving_labels.nii.gz --json a.json",
      1);
}

TEST_F(CommandsOnRanks, EvaluateImages) {
  const std::string images = "evaluate --fixed {}/p_fixed.nii.gz --warped {}/raw.nii --json a.json";
  same_on_all(images, 1);
  same_on_all(images + " --mask {}/p_fixed_labels.nii.gz --report a.html", 2);
}

TEST_F(CommandsOnRanks, EvaluateWarps) {
  same_on_all(
      "evaluate --warp {}/p_true_warp.nii.gz --mask {}/p_fixed_labels.nii.gz "
      "--inverse-warp {}/backwards.nii.gz --true-warp {}/raw_warp.nii -t {}/turn.mat "
      "--json a.json",
      1);
  same_on_all(
      "evaluate --warp {}/holes_warp.nii.gz --inverse-warp {}/coarse_warp.nii.gz "
      "--true-warp {}/coarse_warp.nii.gz -t {}/p_true_warp.nii.gz --json a.json",
      1);
}

TEST_F(CommandsOnRanks, EvaluatePoints) {
  same_on_all(
      "evaluate --fixed-points {}/points.csv --moving-points {}/points.csv -t "
      "{}/p_true_warp.nii.gz -t {}/turn.mat --json a.json",
      1);
}

/// Images that are not cut: a slice, and one of five planes, which three ranks share but six do
/// not.
TEST_F(CommandsOnRanks, SlicesAndThinImages) {
  for (const char* size : {"60x50x1", "60x50x5"}) {
    const Left made = run(
        std::string("phantom -q --pair --warp-mm 0.8 --spacing 3 --size ") + size + " -o {}/thin",
        "", "");
    ASSERT_EQ(made.outcome.code, 0) << made.outcome.text;
    const std::string reference = " -r {}/thin_fixed.nii.gz ", warp = "{}/thin_true_warp.nii.gz";
    same_on_all("apply -i {}/thin_moving.nii.gz --default-value min" + reference + "-t " + warp +
                    " -o a.nii.gz",
                1);
    same_on_all("apply -n label -i {}/thin_fixed_labels.nii.gz" + reference + "-t [" + warp +
                    ",1] -o a.nii",
                1);
    same_on_all("compose" + reference + "-t " + warp + " -t " + warp + " -o a.nii.gz", 1);
    same_on_all("jacobian " + warp + " -o a.nii.gz", 1);
    same_on_all(
        "evaluate --fixed-labels {}/thin_fixed_labels.nii.gz --warped-labels "
        "{}/thin_moving_labels.nii.gz --fixed {}/thin_fixed.nii.gz --warped "
        "{}/thin_moving.nii.gz --warp " +
            warp + " --inverse-warp " + warp + " --true-warp " + warp + " --json a.json",
        1);
  }
}

/// Whether all ranks meet the error or one of them does.
TEST_F(CommandsOnRanks, AnErrorIsSaidOnceAndLeavesNothing) {
  const std::string inputs = inputs_->path();
  fs::copy_file(inputs + "/p_true_warp.nii.gz", inputs + "/short.nii.gz");
  fs::resize_file(inputs + "/short.nii.gz", fs::file_size(inputs + "/short.nii.gz") / 2);
  for (const char* arguments :
       {"apply -i {}/absent.nii.gz -r {}/p_fixed.nii.gz -o a.nii.gz",
        "jacobian {}/short.nii.gz -o a.nii",
        "apply -i {}/p_moving.nii.gz -r {}/p_fixed.nii.gz -t {}/short.nii.gz -o a.nii.gz",
        "apply -i {}/raw.nii -r {}/p_fixed.nii.gz -t {}/points.csv -o a.nii.gz",
        "apply -i {}/p_moving.nii.gz -r {}/p_fixed.nii.gz -n label --default-value 0.5 -o a.nii",
        "compose -t {}/coarse_warp.nii.gz -o /no/folder/a.h5",
        "invert -t {}/turn.mat -o a.nii.gz"}) {
    SCOPED_TRACE(arguments);
    const Left left = run(arguments, "", "--ranks 3");
    EXPECT_EQ(left.outcome.code, 1) << left.outcome.text;
    EXPECT_EQ(std::ranges::count(left.outcome.text, '\n'), 1) << left.outcome.text;
    EXPECT_TRUE(left.files.empty());
    if (!has_mpi) continue;
    const Left several = run(arguments, "mpirun --oversubscribe -n 3", "");
    EXPECT_EQ(several.outcome.code, 1) << several.outcome.text;
    EXPECT_NE(several.outcome.text.find("ffdp: rank "), std::string::npos) << several.outcome.text;
    EXPECT_TRUE(several.files.empty());
  }
}

/// Files of several gzip members a rank.
TEST_F(CommandsOnRanks, Phantom) {
  same_on_all("phantom --size 150x140x90 --seed 3 -o a", 2);
  same_on_all("phantom --pair --size 60x60x40 --spacing 3 --type uint8 -o a", 5);
  same_on_all("phantom --pair --size 60x60x1 --spacing 3 --warp-mm 0 -o a", 5);
}

}  // namespace
}  // namespace ffdp::cli
