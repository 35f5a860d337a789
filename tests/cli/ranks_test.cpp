// SPDX-License-Identifier: Apache-2.0
// The program on several ranks, as threads and under mpirun: the bytes of one.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/data.hpp"
#include "tests/support/program.hpp"
#include <unistd.h>

#include <gtest/gtest.h>

namespace ffdp::cli {
namespace {

namespace fs = std::filesystem;
using test::Outcome;
using test::run_program;

class RanksProgram : public testing::Test {
 protected:
  void SetUp() override {
    folder = fs::temp_directory_path() / ("ffdp_ranks_test_" + std::to_string(getpid()));
    fs::create_directories(folder);
    // Open MPI refuses to run as root unless told that this is meant.
    setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
    setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
  }
  void TearDown() override { fs::remove_all(folder); }
  std::string path(const std::string& name) const { return (folder / name).string(); }

  /// @param wrapper  a program that starts each rank, and its arguments
  static Outcome run_mpi(int ranks, const std::string& arguments, const std::string& wrapper = "") {
    return test::run_command("mpirun --oversubscribe -n " + std::to_string(ranks) + " " + wrapper +
                             FFDP_PROGRAM + " " + arguments);
  }
  static std::string content(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  /// Every file of `prefix` has the bytes of that of the single rank; the records differ.
  void expect_same_files(const std::string& one, const std::string& prefix) const {
    int compared = 0;
    for (const auto& entry : fs::directory_iterator(folder)) {
      const std::string name = entry.path().filename().string();
      if (!name.starts_with(one) || name.ends_with(".json")) continue;
      const std::string other = prefix + name.substr(one.size());
      ASSERT_TRUE(fs::exists(path(other))) << other;
      EXPECT_TRUE(content(entry.path()) == content(path(other))) << name << " and " << other;
      ++compared;
    }
    EXPECT_EQ(compared, 6);
  }

  fs::path folder;
};

#if defined(FFDP_HAS_MPI)
constexpr bool has_mpi = true;
#else
constexpr bool has_mpi = false;
#endif

TEST_F(RanksProgram, APhantomHasTheBytesOfOneRank) {
  ASSERT_EQ(
      run_program("phantom -q --pair --size 40x48x44 --spacing 4 --rotate 5 -4 8 -o " + path("b"))
          .code,
      0);
  const std::string inputs = "register -q " + path("b_fixed.nii.gz") + " " +
                             path("b_moving.nii.gz") + " --preset fast --moving-labels " +
                             path("b_moving_labels.nii.gz") + " --fixed-mask " +
                             path("b_fixed_labels.nii.gz") + " -o ";
  ASSERT_EQ(run_program(inputs + path("one_")).code, 0);
  for (const int ranks : {2, 3, 6}) {
    const std::string prefix = "threads" + std::to_string(ranks) + "_";
    const Outcome outcome =
        run_program(inputs + path(prefix) + " --threads 1 --ranks " + std::to_string(ranks));
    ASSERT_EQ(outcome.code, 0) << outcome.text;
    expect_same_files("one_", prefix);
  }
  if (!has_mpi) GTEST_SKIP() << "built without MPI";
  const Outcome outcome = run_mpi(3, inputs + path("mpi_") + " --threads 1");
  ASSERT_EQ(outcome.code, 0) << outcome.text;
  expect_same_files("one_", "mpi_");
}

/// Where no rank may have so much memory of its own as a whole image of full size, or as a whole
/// warp, eight ranks register all the same. Room of the images is counted (RLIMIT_DATA), not that
/// of libraries and of what MPI shares, about 40 MiB of it are the program's and MPI's.
TEST_F(RanksProgram, NoRankHoldsAWholeImageOrWarp) {
  if (!has_mpi) GTEST_SKIP() << "built without MPI";
  constexpr int image = 96, warp = 3 * image;  // float32 [MiB]
  for (const std::string image_of : {"f --translate 0 0 0", "m --translate 3 -2 4"})
    ASSERT_EQ(
        run_program("phantom -q --size 128x128x1536 --spacing 2 --type uint8 -o " + path(image_of))
            .code,
        0);
  const std::string inputs = "register -q " + path("f.nii.gz") + " " + path("m.nii.gz") +
                             " --init identity --threads 1 -o " + path("x_");
  const std::string linear = inputs + " --linear rigid --no-deformable",
                    deformable = inputs + " --linear none --shrink 8x1 --iterations 4x2";
  const auto within = [&](int mib, const std::string& arguments) {
    const std::string limit = "prlimit --data=" + std::to_string(std::int64_t{mib} << 20U) + " ";
    return run_mpi(8, arguments, limit);
  };
  const Outcome affine = within(image + 29, linear), warped = within(warp - 38, deformable);
  EXPECT_EQ(affine.code, 0) << affine.text;
  EXPECT_EQ(warped.code, 0) << warped.text;
  // The limit is one: ranks that hold an image more do not stay within it.
  const Outcome whole = within(warp - 38, deformable + " --moving-access replicate");
  EXPECT_NE(whole.code, 0);
  EXPECT_NE(whole.text.find("out of memory"), std::string::npos) << whole.text;
}

/// A turn by 60 degrees: a rank's voxels reach nearly all of the moving image.
TEST_F(RanksProgram, EveryWayToATurnedMovingImageHasTheBytesOfOneRank) {
  ASSERT_EQ(
      run_program("phantom -q --pair --size 40x48x44 --spacing 4 --rotate 60 0 0 -o " + path("b"))
          .code,
      0);
  std::ofstream(path("turn.tfm"))
      << "#Insight Transform File V1.0\n#Transform 0\nTransform: AffineTransform_double_3_3\n"
         "Parameters: 1 0 0 0 0.5 -0.866025403784 0 0.866025403784 0.5 0 0 0\n"
         "FixedParameters: 0 0 0\n";
  const std::string inputs = "register -q " + path("b_fixed.nii.gz") + " " +
                             path("b_moving.nii.gz") + " -t " + path("turn.tfm") +
                             " --preset fast --moving-labels " + path("b_moving_labels.nii.gz") +
                             " -o ";
  ASSERT_EQ(run_program(inputs + path("one_")).code, 0);
  for (const std::string way : {"automatic", "replicate", "fetch", "ring"}) {
    const std::string prefix = way + "_";
    const Outcome outcome =
        run_program(inputs + path(prefix) + " --threads 1 --ranks 3 --moving-access " + way);
    ASSERT_EQ(outcome.code, 0) << outcome.text;
    expect_same_files("one_", prefix);
  }
  EXPECT_EQ(run_program(inputs + path("x_") + " --moving-access all").code, 2);
  if (!has_mpi) GTEST_SKIP() << "built without MPI";
  const Outcome outcome = run_mpi(4, inputs + path("mpi_") + " --threads 1 --moving-access ring");
  ASSERT_EQ(outcome.code, 0) << outcome.text;
  expect_same_files("one_", "mpi_");
}

TEST_F(RanksProgram, ARealBrainHasTheBytesOfOneRank) {
  if (!has_mpi) GTEST_SKIP() << "built without MPI";
  const std::string fixed = "a1_t1_fs46_pair/fixed_vxm_t1.nii.gz";
  const std::string moving = "a2_t1_fs_native/t1_norm.nii.gz",
                    labels = "a2_t1_fs_native/aseg.nii.gz";
  if (!test::has_data(fixed) || !test::has_data(moving)) GTEST_SKIP() << "no test data";
  const std::string inputs = "register -q " + test::data_path(fixed) + " " +
                             test::data_path(moving) + " --preset fast --moving-labels " +
                             test::data_path(labels) + " -o ";
  ASSERT_EQ(run_program(inputs + path("one_")).code, 0);
  const Outcome outcome = run_mpi(3, inputs + path("mpi_") + " --threads 1");
  ASSERT_EQ(outcome.code, 0) << outcome.text;
  expect_same_files("one_", "mpi_");
}

TEST_F(RanksProgram, AnErrorIsSaidOnceAndLeavesNothing) {
  const std::string inputs =
      "register " + path("absent.nii.gz") + " " + path("absent.nii.gz") + " -o " + path("x_");
  const Outcome threads = run_program(inputs + " --ranks 3");
  EXPECT_EQ(threads.code, 1);
  EXPECT_NE(threads.text.find("absent.nii.gz"), std::string::npos) << threads.text;
  EXPECT_EQ(std::ranges::count(threads.text, '\n'), 1) << threads.text;
  EXPECT_TRUE(fs::is_empty(folder));
}

/// Before MPI has started no rank can hear of another. A rank that hangs by then ends the run too.
TEST_F(RanksProgram, ARankThatNeverStartsEndsTheRun) {
  if (!has_mpi) GTEST_SKIP() << "built without MPI";
  const std::string hang =
      "sh -c 'if [ $OMPI_COMM_WORLD_RANK = 1 ]; then kill -STOP $$; fi; exec \"$@\"' - ";
  const auto begin = std::chrono::steady_clock::now();
  const Outcome outcome = run_mpi(2, "phantom -q --size 20x20x20 -o " + path("x"), hang);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  EXPECT_NE(outcome.code, 0);
  EXPECT_NE(outcome.text.find("rank 0: MPI has not started"), std::string::npos) << outcome.text;
  EXPECT_LT(seconds.count(), 30);
  EXPECT_TRUE(fs::is_empty(folder));
}

/// Who does not work on ranks says so, rather than do the same several times.
TEST_F(RanksProgram, CommandsOfOneProcessRefuseALauncher) {
  if (!has_mpi) GTEST_SKIP() << "built without MPI";
  const std::string ants = FFDP_ANTS_FOLDER "/antsApplyTransforms --version";
  const std::string alone = "env -u OMPI_COMM_WORLD_SIZE -u PMI_SIZE ";
  for (const std::string& command : {ants, FFDP_PROGRAM " report " + path("none_")}) {
    const Outcome outcome = test::run_command("mpirun --oversubscribe -n 2 " + command);
    EXPECT_NE(outcome.code, 0) << command;
    EXPECT_NE(outcome.text.find("does not work on ranks"), std::string::npos) << outcome.text;
  }
  EXPECT_EQ(test::run_command("mpirun --oversubscribe -n 2 " + alone + ants).code, 0);
  EXPECT_EQ(run_program("report --ranks 2 " + path("none_")).code, 2);
}

/// A rank that is killed ends the run within seconds; no file is left, whole or half.
TEST_F(RanksProgram, AKilledRankEndsTheRunAndLeavesNothing) {
  if (!has_mpi) GTEST_SKIP() << "built without MPI";
  ASSERT_EQ(run_program("phantom -q --pair --size 80x96x88 --spacing 2 -o " + path("b")).code, 0);
  const std::string marker = path("killed_");
  std::thread killer([&] {
    const std::string find = "pgrep -f '[f]fdp register .*" + marker + "' | tail -n 1";
    for (int tries = 0; tries < 100; ++tries) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      const std::string pid = test::run_command(find).text;
      if (pid.empty() || tries < 10) continue;
      kill(static_cast<pid_t>(std::stol(pid)), SIGKILL);
      return;
    }
  });
  const auto begin = std::chrono::steady_clock::now();
  const Outcome outcome = run_mpi(2, "register -q " + path("b_fixed.nii.gz") + " " +
                                         path("b_moving.nii.gz") + " --threads 1 -o " + marker);
  const auto seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  killer.join();
  EXPECT_NE(outcome.code, 0) << outcome.text;
  EXPECT_NE(outcome.text.find("rank"), std::string::npos) << outcome.text;
  EXPECT_LT(seconds, 30);
  for (const auto& entry : fs::directory_iterator(folder))
    EXPECT_TRUE(entry.path().filename().string().starts_with("b_")) << entry.path();
}

}  // namespace
}  // namespace ffdp::cli
