// SPDX-License-Identifier: Apache-2.0
// A registration that is stopped goes on to the same bytes.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/support/program.hpp"
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <gtest/gtest.h>

namespace ffdp::cli {
namespace {

namespace fs = std::filesystem;
using test::Outcome;
using test::run_program;

std::string content(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class CheckpointProgram : public testing::Test {
 protected:
  void SetUp() override {
    folder = fs::temp_directory_path() / ("ffdp_checkpoint_test_" + std::to_string(getpid()));
    fs::create_directories(folder);
    ASSERT_EQ(run_program("phantom -q --pair --size 48x52x50 --spacing 3 -o " + path("b")).code, 0);
  }
  void TearDown() override { fs::remove_all(folder); }
  std::string path(const std::string& name) const { return (folder / name).string(); }
  std::string command(const std::string& prefix) const {
    return "register " + path("b_fixed.nii.gz") + " " + path("b_moving.nii.gz") +
           " --preset fast -q --threads 1 -o " + path(prefix);
  }
  /// Starts a registration that is kept after every iteration, sends it a signal after the first
  /// time that the state has `word`, and waits for its end.
  Outcome stopped(const std::string& signal, const std::string& command_line,
                  const std::string& word = "") const {
    return test::run_command(
        "sh -c '" FFDP_PROGRAM " " + command_line + " --ranks 2 --checkpoint " + path("kept") +
        " --every 0s & for i in $(seq 3000); do grep -qs \"" + word + "\" " + path("kept") +
        "/checkpoint.json && break; sleep 0.01; done; kill -" + signal + " $!; wait $!'");
  }
  void expect_files_of(const std::string& one, const std::string& other) const {
    for (const char* name : {"0GenericAffine.mat", "1Warp.nii.gz", "1InverseWarp.nii.gz",
                             "Warped.nii.gz", "InverseWarped.nii.gz"}) {
      ASSERT_TRUE(fs::exists(path(one + name)) && fs::exists(path(other + name))) << name;
      EXPECT_TRUE(content(path(one + name)) == content(path(other + name))) << name;
    }
    // The curves of the page: those before the stop, too.
    const auto record = [&](const std::string& prefix) {
      return nlohmann::json::parse(std::ifstream(path(prefix + ".json")));
    };
    const nlohmann::json before = record(one), after = record(other);
    EXPECT_FALSE(before.at("linear_levels").empty());
    EXPECT_EQ(after.at("linear_levels"), before.at("linear_levels"));
    EXPECT_EQ(after.at("levels").size(), before.at("levels").size());
  }
  fs::path folder;
};

TEST_F(CheckpointProgram, AStoppedRegistrationGoesOnToTheSameBytes) {
  ASSERT_EQ(run_program(command("one_")).code, 0);
  const Outcome terminated = stopped("TERM", command("two_"));
  EXPECT_EQ(terminated.code, 128 + 15) << terminated.text;
  EXPECT_NE(terminated.text.find("ffdp register --resume " + path("kept")), std::string::npos)
      << terminated.text;
  EXPECT_FALSE(fs::exists(path("two_1Warp.nii.gz")));
  const Outcome resumed = run_program("register --ranks 3 --resume " + path("kept"));
  ASSERT_EQ(resumed.code, 0) << resumed.text;
  expect_files_of("one_", "two_");
  EXPECT_FALSE(fs::exists(path("kept"))) << "a checkpoint of what is done";
}

TEST_F(CheckpointProgram, AKilledRegistrationGoesOnFromItsLastCheckpoint) {
  ASSERT_EQ(run_program(command("one_")).code, 0);
  EXPECT_NE(stopped("KILL", command("two_")).code, 0);
  const Outcome resumed = run_program("register --ranks 1 --resume " + path("kept"));
  ASSERT_EQ(resumed.code, 0) << resumed.text;
  expect_files_of("one_", "two_");
}

/// The Gaussians of the finest level depend on the warp that it started with.
TEST_F(CheckpointProgram, AFinestLevelGoesOnWithTheGaussiansOfItsStart) {
  const auto gentle = [&](const std::string& prefix) {
    return command(prefix) +
           " --shrink 2x1 --iterations 9x30 --set deformable/0/gentle/full=0"
           " --set deformable/0/gentle/none=1 --set deformable/0/gentle/across=0";
  };
  ASSERT_EQ(run_program(gentle("one_")).code, 0);
  EXPECT_EQ(stopped("TERM", gentle("two_"), "change").code, 128 + 15);
  const nlohmann::json state =
      nlohmann::json::parse(std::ifstream(path("kept") + "/checkpoint.json"));
  EXPECT_NE(state.dump().find("change"), std::string::npos);
  ASSERT_EQ(run_program("register --ranks 3 --resume " + path("kept")).code, 0);
  expect_files_of("one_", "two_");
  const auto finest = [&](const std::string& prefix) {
    nlohmann::json level =
        nlohmann::json::parse(std::ifstream(path(prefix + ".json"))).at("levels").at(1);
    level.erase("seconds");
    return level;
  };
  EXPECT_GT(finest("one_").at("sigma_update"), 0.8);
  EXPECT_LT(finest("one_").at("sigma_update"), 2.6);
  EXPECT_EQ(finest("one_"), finest("two_"));
}

TEST_F(CheckpointProgram, WhatCannotGoOnIsRefused) {
  const auto refused = [&](const std::string& arguments, const std::string& why) {
    const Outcome outcome = run_program("register " + arguments);
    EXPECT_EQ(outcome.code, 1) << arguments;
    EXPECT_NE(outcome.text.find(why), std::string::npos) << outcome.text;
  };
  refused("--resume " + path("nowhere"), "no checkpoint is there");
  refused(command("x_").substr(9) + " --checkpoint " + path("kept") + " --every soon",
          "a time as 30s, 5min or 2h is wanted");
  EXPECT_EQ(stopped("TERM", command("two_")).code, 128 + 15);
  refused("--step 0.2 --resume " + path("kept"), "--step: the command is that of the checkpoint");
  fs::copy_file(path("b_fixed.nii.gz"), path("b_moving.nii.gz"),
                fs::copy_options::overwrite_existing);
  refused("--resume " + path("kept"), "the images of the checkpoint");
  fs::remove_all(path("kept") + "/1");
  std::ofstream(path("kept") + "/checkpoint.json") << "{}";
  refused("--resume " + path("kept"), "checkpoint");
}

}  // namespace
}  // namespace ffdp::cli
