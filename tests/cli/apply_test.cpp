// SPDX-License-Identifier: Apache-2.0
// The program itself: `ffdp apply`, `compose`, `invert`, `info` on files.
#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <set>

#include "tests/support/compare.hpp"
#include "tests/support/data.hpp"
#include "tests/support/fields.hpp"
#include "tests/support/program.hpp"
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "ffdp/io/nifti.hpp"
#include "ffdp/io/points_csv.hpp"
#include "ffdp/io/transform_file.hpp"

namespace ffdp {
namespace {

using test::Outcome;

Outcome run(const std::string& arguments) { return test::run_program(arguments); }

void succeed(const std::string& arguments) {
  const Outcome outcome = run(arguments);
  ASSERT_EQ(outcome.code, 0) << arguments << "\n" << outcome.text;
}

/// One line on stderr that holds all of `parts`, the exit code, and no new file in the folder.
void fail(const test::TemporaryFolder& folder, const std::string& arguments, int code,
          const std::vector<std::string>& parts) {
  const std::size_t files = folder.count();
  const Outcome outcome = run(arguments);
  EXPECT_EQ(outcome.code, code) << arguments << "\n" << outcome.text;
  EXPECT_EQ(std::count(outcome.text.begin(), outcome.text.end(), '\n'), 1) << outcome.text;
  EXPECT_EQ(outcome.text.rfind("ffdp: ", 0), 0U) << outcome.text;
  for (const std::string& part : parts)
    EXPECT_NE(outcome.text.find(part), std::string::npos) << part << " is not in: " << outcome.text;
  EXPECT_EQ(folder.count(), files) << arguments;
}

double range(const Field<float>& field) {
  const auto [least, most] = std::minmax_element(field.begin(), field.end());
  return static_cast<double>(*most) - static_cast<double>(*least);
}

double largest_difference(const Field<float>& a, const Field<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double most = 0;
  for (std::int64_t i = 0; i < a.size(); ++i)
    most = std::max(most, std::abs(static_cast<double>(a.data()[i]) - b.data()[i]));
  return most;
}

class SyntheticPair : public testing::Test {
 protected:
  static std::string h7(const std::string& name) {
    return test::data_path("h7_synth_itk_affine_warp3d/" + name);
  }
  void SetUp() override {
    if (!test::has_data("h7_synth_itk_affine_warp3d")) GTEST_SKIP() << "no " << h7("");
  }
  /// Applies to `input` and compares with `expected`, to 1e-3 of its range.
  void same_image(const std::string& arguments, const std::string& expected) {
    succeed("apply " + arguments + " -r " + h7("fixed.nii.gz") + " -o " + folder / "out.nii.gz");
    const auto got = io::read_image<float>(folder / "out.nii.gz");
    const auto want = io::read_image<float>(h7(expected));
    EXPECT_TRUE(same_space(got.grid, want.grid, 1e-6));
    EXPECT_LT(largest_difference(got.data, want.data), 1e-3 * range(want.data)) << arguments;
  }
  std::string both = "-t " + h7("x1Warp.nii.gz") + " -t " + h7("x0GenericAffine.mat");
  test::TemporaryFolder folder;
};

TEST_F(SyntheticPair, LinearImagesAreThoseExpected) {
  same_image("-i " + h7("moving.nii.gz") + " " + both, "expected_linear.nii.gz");
  for (const char* affine : {"x0GenericAffine.mat", "x0GenericAffine.txt"})
    same_image("-i " + h7("moving.nii.gz") + " -t " + h7(affine),
               "expected_affine_only_linear.nii.gz");
}

TEST_F(SyntheticPair, OneWarpMadeOfTheChainGivesTheSameImage) {
  succeed("compose -r " + h7("fixed.nii.gz") + " " + both + " -o " + folder / "all.nii.gz");
  same_image("-i " + h7("moving.nii.gz") + " -t " + folder / "all.nii.gz",
             "expected_linear.nii.gz");
  succeed("compose " + both + " -o " + folder / "all.h5");
  same_image("-i " + h7("moving.nii.gz") + " -t " + folder / "all.h5", "expected_linear.nii.gz");
}

TEST_F(SyntheticPair, LabelsAreThoseExpected) {
  succeed("apply -i " + h7("moving_label.nii.gz") + " -r " + h7("fixed.nii.gz") + " " + both +
          " -n nearest -o " + folder / "out.nii.gz");
  const auto got = io::read_image<int>(folder / "out.nii.gz");
  const auto want = io::read_image<int>(h7("expected_label_nn.nii.gz"));
  EXPECT_TRUE(std::equal(got.data.begin(), got.data.end(), want.data.begin()));
  EXPECT_EQ(io::read_info(folder / "out.nii.gz").type, io::DataType::uint8);
}

TEST_F(SyntheticPair, PointsGoFromFixedToMovingAndBack) {
  std::ifstream stream(h7("points_fixed_to_moving_lps.csv"));
  std::string line, table = "x,y,z,mx,my,mz\n";
  std::getline(stream, line);
  while (std::getline(stream, line)) table.append(line).append("\n");
  std::ofstream(folder / "in.csv") << table;
  succeed("apply -i " + folder / "in.csv" + " " + both + " -o " + folder / "out.csv");
  const io::PointsTable out = io::read_points(folder / "out.csv");
  ASSERT_GT(out.points.size(), 10U);
  for (std::size_t i = 0; i < out.points.size(); ++i)
    for (std::size_t c = 0; c < 3; ++c)
      EXPECT_NEAR(out.points[i][c], std::stod(out.cells[i][3 + c]), 1e-3);  // [mm]
  succeed("apply -i " + folder / "out.csv" + " -t [" + h7("x0GenericAffine.mat") + ",1] -t [" +
          h7("x1Warp.nii.gz") + ",1] -o " + folder / "back.csv");
  const io::PointsTable in = io::read_points(folder / "in.csv");
  const io::PointsTable back = io::read_points(folder / "back.csv");
  for (std::size_t i = 0; i < in.points.size(); ++i)
    for (std::size_t c = 0; c < 3; ++c)
      EXPECT_NEAR(back.points[i][c], in.points[i][c], 0.1) << i;  // [mm], 0.05 voxel
}

TEST_F(SyntheticPair, TheInverseAffineUndoesTheAffine) {
  succeed("invert -t " + h7("x0GenericAffine.mat") + " -o " + folder / "i.mat");
  const auto a = io::read_transform(h7("x0GenericAffine.mat"));
  const auto b = io::read_transform(folder / "i.mat");
  const Affine both_ways = std::get<Affine>(a.transforms[0]) * std::get<Affine>(b.transforms[0]);
  for (int i = 0; i < 3; ++i) EXPECT_NEAR(both_ways.translation[i], 0, 1e-12);
  // [file,1] and the written inverse give the same image on the moving grid.
  const std::string to_moving = "apply -i " + h7("fixed.nii.gz") + " -r " + h7("moving.nii.gz");
  succeed(to_moving + " -t [" + h7("x0GenericAffine.mat") + ",1] -o " + folder / "1.nii.gz");
  succeed(to_moving + " -t " + folder / "i.mat" + " -o " + folder / "2.nii.gz");
  EXPECT_EQ(largest_difference(io::read_image<float>(folder / "1.nii.gz").data,
                               io::read_image<float>(folder / "2.nii.gz").data),
            0);
}

TEST_F(SyntheticPair, ThreadsDoNotChangeABit) {
  for (const char* mode : {"linear", "bspline", "sinc"}) {
    for (const char* threads : {"1", "4"})
      succeed("apply --threads " + std::string(threads) + " -n " + mode + " -i " +
              h7("moving.nii.gz") + " -r " + h7("fixed.nii.gz") + " " + both + " -o " +
              folder / (std::string(threads) + ".nii"));
    EXPECT_EQ(largest_difference(io::read_image<float>(folder / "1.nii").data,
                                 io::read_image<float>(folder / "4.nii").data),
              0)
        << mode;
  }
}

TEST(Orientations, AnyOneResampledToAnyOtherIsThatOther) {
  const std::vector<std::string> names{"RAS", "LAS", "LPS", "ASL", "IPL", "PIR", "SRA"};
  const auto path = [](const std::string& name) {
    return test::data_path("g1_nifti_orient48/" + name + ".nii.gz");
  };
  if (!test::has_data("g1_nifti_orient48/RAS.nii.gz")) GTEST_SKIP() << "no " << path("RAS");
  const test::TemporaryFolder folder;
  for (const std::string& from : names)
    for (const std::string& to : names) {
      succeed("apply -i " + path(from) + " -r " + path(to) + " -o " + folder / "o.nii");
      const auto want = io::read_image<float>(path(to));
      // 1e-4 voxel of a step as high as the range.
      EXPECT_LT(largest_difference(io::read_image<float>(folder / "o.nii").data, want.data),
                1e-4 * range(want.data))
          << from << " to " << to;
    }
}

TEST(Labels, IdsAbove24BitsStayIntact) {
  const std::string name = "e2_mouse_atlases_200um/allen_mouse_ann_uint32.nii.gz";
  if (!test::has_data(name)) GTEST_SKIP() << "no " << test::data_path(name);
  const test::TemporaryFolder folder;
  const auto ids = [](const std::string& path) {
    const auto image = io::read_image<std::uint32_t>(path);
    return std::set<std::uint32_t>(image.data.begin(), image.data.end());
  };
  const auto before = ids(test::data_path(name));
  ASSERT_GT(*before.rbegin(), 1U << 24);
  io::write_affine(folder / "a.mat", {Affine{}.linear, {0.05, 0.07, -0.06}}, {}, 3);
  for (const char* mode : {"nearest", "label"}) {
    succeed("apply -i " + test::data_path(name) + " -r " + test::data_path(name) + " -t " +
            folder / "a.mat" + " -n " + mode + " -o " + folder / "o.nii.gz");
    EXPECT_EQ(io::read_info(folder / "o.nii.gz").type, io::DataType::uint32);
    const auto after = ids(folder / "o.nii.gz");
    EXPECT_TRUE(std::includes(before.begin(), before.end(), after.begin(), after.end())) << mode;
    EXPECT_GT(after.size(), before.size() / 2);
  }
}

TEST(AwkwardHeaders, EachFileIsReadOrRefusedInOneLine) {
  const std::string g2 = "g2_nifti_headers";
  if (!test::has_data(g2)) GTEST_SKIP() << "no " << test::data_path(g2);
  const test::TemporaryFolder folder;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(test::data_path(g2))) {
    const std::string path = entry.path().string();
    if (!entry.is_regular_file() || path.ends_with(".md")) continue;
    std::string arguments = "apply -n nearest -o " + folder / "o.nii";
    arguments.append(" -i ").append(path).append(" -r ").append(path);
    if (path.find("complex") != std::string::npos || path.find("perfusion") != std::string::npos) {
      fail(folder, arguments, 1, {path, "voxels are"});
      continue;
    }
    succeed(arguments);
    io::NiftiReader in(path), out(folder / "o.nii");
    EXPECT_TRUE(same_space(in.info().grid, out.info().grid, 1e-4)) << path;
    ASSERT_EQ(in.info().volumes(), out.info().volumes());
    for (std::int64_t v = 0; v < in.info().volumes(); ++v) {
      const auto a = in.read_volume<float>(v), b = out.read_volume<float>(v);
      EXPECT_TRUE(std::equal(a.data.begin(), a.data.end(), b.data.begin(), b.data.end(),
                             [](float x, float y) { return x == y || (x != x && y != y); }))
          << path;
    }
    std::filesystem::remove(folder / "o.nii");
  }
}

/// A folder with a small image and an affine.
class BadInput : public testing::Test {
 protected:
  void SetUp() override {
    Image<float> image{Grid{}, test::make_field(box_of({3, 4, 5}), [](int z, int y, int x) {
                         return noise(z, y, x, 1);
                       })};
    image.grid.size = {3, 4, 5};
    io::write_image(good, image, {});
    io::write_affine(affine, Affine{}, {}, 3);
  }
  test::TemporaryFolder folder;
  std::string good = folder / "good.nii.gz", affine = folder / "a.mat", out = folder / "out.nii.gz";
};

TEST_F(BadInput, UsageErrorsHaveCodeTwo) {
  fail(folder, "", 2, {});
  fail(folder, "nonsense", 2, {});
  fail(folder, "apply -i " + good, 2, {"--output"});
  fail(folder, "apply -i " + good + " -r " + good + " -o " + out + " -n cubic", 2, {"cubic"});
  fail(folder, "apply -i " + good + " -r " + good + " -o " + out + " --threads -2", 2, {"threads"});
  EXPECT_EQ(run("--version").code, 0);
  EXPECT_EQ(run("apply --help").code, 0);
}

TEST_F(BadInput, MissingAndForeignFilesAreNamed) {
  const std::string tail = " -r " + good + " -o " + out;
  fail(folder, "apply -i " + folder / "no.nii" + tail, 1, {"no.nii", "No such file"});
  fail(folder, "apply -i " + affine + tail, 1, {"a.mat", "no NIfTI"});
  fail(folder, "apply -i " + good + " -o " + out, 1, {"--reference is wanted"});
  fail(folder, "apply -i " + good + tail + " -t " + good, 1, {"good.nii.gz", "dim = [5"});
  fail(folder, "apply -i " + good + tail + " -t " + folder / "no.mat", 1, {"no.mat", "No such"});
  fail(folder, "apply -i " + good + tail + " -t [" + affine + ",2]", 1, {",2]", "is wanted"});
  fail(folder, "apply -i " + good + tail + " --output-type half", 1, {"half", "float32"});
}

TEST_F(BadInput, ASingularAffineCannotBeInverted) {
  io::write_affine(folder / "s.mat", {{{{1, 0, 0}, {0, 1, 0}, {1, 1, 0}}}, {}}, {}, 3);
  fail(folder, "apply -i " + good + " -r " + good + " -t [" + folder / "s.mat" + ",1] -o " + out, 1,
       {"s.mat", "cannot be inverted", "determinant"});
  fail(folder, "invert -t " + folder / "s.mat" + " -o " + folder / "i.mat", 1,
       {"s.mat", "determinant"});
}

TEST_F(BadInput, OutputsThatCannotBeWrittenLeaveNothing) {
  const std::string head = "apply -i " + good + " -r " + good + " -o ";
  fail(folder, head + "/nowhere/o.nii.gz", 1, {"/nowhere/o.nii.gz", "No such file"});
  fail(folder, head + folder / "o.png", 1, {"o.png", ".nii"});
  std::filesystem::create_symlink("/dev/full", folder / "full.nii.gz");
  fail(folder, head + folder / "full.nii.gz", 1, {"full.nii.gz", "No space left"});
  fail(folder, "compose -t " + affine + " -o " + folder / "o.nii.gz", 1, {"--reference"});
}

TEST_F(BadInput, OneVoxelAxesAndValuesOutsideWork) {
  io::write_affine(folder / "far.mat", {Affine{}.linear, {1000, 0, 0}}, {}, 3);
  succeed("apply -i " + good + " -r " + good + " -t " + folder / "far.mat" +
          " --default-value -7 -o " + out);
  const auto image = io::read_image<float>(out);
  for (float value : image.data) EXPECT_EQ(value, -7);
}

TEST(Interrupt, LeavesNoFileBehindAndHasItsOwnCode) {
  const test::TemporaryFolder folder;
  Image<float> image{Grid{}, test::make_field(box_of({160, 160, 160}), [](int z, int y, int x) {
                       return noise(z, y, x, 1);
                     })};
  image.grid.size = {160, 160, 160};
  const std::string in = folder / "in.nii", out = folder / "out.nii";
  io::write_image(in, image, {});
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {  // seconds of work: 4 million points of 512 voxels each
    execl(FFDP_PROGRAM, "ffdp", "apply", "-i", in.c_str(), "-r", in.c_str(), "-n", "sinc", "-o",
          out.c_str(), "--threads", "1", nullptr);
    _exit(99);
  }
  for (int i = 0; i < 1000 && folder.count() < 2; ++i) usleep(5000);
  ASSERT_EQ(folder.count(), 2U);  // the input and the unfinished output
  EXPECT_FALSE(std::filesystem::exists(out));
  kill(child, SIGINT);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 130);
  EXPECT_EQ(folder.count(), 1U);
}

#if !defined(FFDP_SANITIZE)  // which reserves terabytes itself
TEST(Memory, ASeriesIsAppliedOneVolumeAtATime) {
  const test::TemporaryFolder folder;
  Grid grid;
  grid.size = {64, 64, 64};
  const std::vector<float> volume(std::size_t{64} * 64 * 64, 1.5F);
  io::NiftiWriter writer(folder / "in.nii.gz", grid, {.volumes = 200}, {});
  for (int t = 0; t < 200; ++t) writer.write(volume.data(), std::ssize(volume));
  writer.commit();
  // 200 MiB of voxels in an address space that has no room for them beside the program.
  const Outcome outcome = run("info " + folder / "in.nii.gz");
  ASSERT_EQ(outcome.code, 0) << outcome.text;
  const std::string command = "ulimit -v 200000; " FFDP_PROGRAM " apply --threads 1 -i " +
                              folder / "in.nii.gz" + " -r " + folder / "in.nii.gz" + " -o " +
                              folder / "out.nii.gz";
  EXPECT_EQ(std::system(command.c_str()), 0);
  EXPECT_EQ(io::read_info(folder / "out.nii.gz").volumes(), 200);
}
#endif

TEST(Info, SaysWhatATransformMapsToWhat) {
  const test::TemporaryFolder folder;
  io::write_affine(folder / "a.mat", {Affine{}.linear, {1, 2, 3}}, {}, 3);
  const Outcome outcome = run("info " + folder / "a.mat");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_NE(outcome.text.find("fixed image (the reference) to points of the moving image"),
            std::string::npos);
}

TEST(Completion, ListsCommandsAndOptionsForEveryShell) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const Outcome outcome = run(std::string("completion ") + shell);
    EXPECT_EQ(outcome.code, 0);
    EXPECT_NE(outcome.text.find("apply"), std::string::npos);
    EXPECT_NE(outcome.text.find("reference"), std::string::npos);
  }
}

TEST(ApplyProgram, BracketsMayHoldBlanks) {
  const test::TemporaryFolder folder;
  io::write_affine(folder / "a.mat", {Affine{}.linear, {1, 2, 3}}, {}, 3);
  std::ofstream(folder / "p.csv") << "x,y,z\n10,20,30\n";
  const std::string file = folder / "a.mat";
  const std::pair<std::string, double> cases[] = {{"[" + file + ",1]", 9},
                                                  {"[ " + file + " , 1 ]", 9},
                                                  {"[" + file + ", 0]", 11},
                                                  {" [ " + file + " ] ", 11},
                                                  {file, 11}};
  for (const auto& [argument, x] : cases) {
    succeed("apply -q -i " + (folder / "p.csv") + " -t '" + argument + "' -o " +
            (folder / "o.csv"));
    EXPECT_EQ(io::read_points(folder / "o.csv").points.at(0)[0], x) << argument;
  }
}

TEST(ApplyProgram, SeriesKeepTheirTimeAndVectorsTheirComponents) {
  const test::TemporaryFolder folder;
  Grid grid;
  grid.size = {4, 5, 6};
  for (const io::Series& series :
       {io::Series{.volumes = 3, .time_step = 2000, .time_offset = 250, .time_unit = 16},
        io::Series{.components = 3}}) {
    io::NiftiWriter writer(folder / "in.nii.gz", grid, series, {});
    for (int v = 0; v < 3; ++v)
      for (int i = 0; i < 120; ++i) {
        const float value = static_cast<float>(1000 * v + i);
        writer.write(&value, 1);
      }
    writer.commit();
    succeed("apply -i " + (folder / "in.nii.gz") + " -r " + (folder / "in.nii.gz") + " -o " +
            (folder / "out.nii.gz"));
    io::NiftiReader out(folder / "out.nii.gz");
    EXPECT_EQ(out.info().series(), series);
    for (int v = 0; v < 3; ++v) EXPECT_EQ(out.read_volume<float>(v).data.data()[77], 1000 * v + 77);
  }
}

TEST(ApplyProgram, AnUnknownInterpolationIsAnsweredWithTheNames) {
  const Outcome outcome = run("apply -i a.nii -r a.nii -o b.nii -n cubic");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.text.find("cubic not in {linear,nearest,label,bspline,sinc}"),
            std::string::npos)
      << outcome.text;
  EXPECT_EQ(outcome.text.find("->"), std::string::npos) << outcome.text;
}

}  // namespace
}  // namespace ffdp
