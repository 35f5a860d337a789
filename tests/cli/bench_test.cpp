// SPDX-License-Identifier: Apache-2.0
// `ffdp bench` on ranks: every case makes what one rank makes, and the rows say who worked.
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

#include "cli/bench_rows.hpp"
#include "tests/support/data.hpp"
#include "tests/support/program.hpp"
#include <nlohmann/json.hpp>

#include <gtest/gtest.h>

#include "ffdp/dist/threads.hpp"

namespace ffdp::cli {
namespace {

using test::Outcome;

/// What the cases make of the whole domain, and how many voxels of it the ranks gave.
struct Made {
  std::vector<float> values;
  std::int64_t voxels = 0;
};

/// All cases of a small size, put together from what the ranks own.
std::map<std::string, Made> made_on(int ranks, const Box& domain) {
  std::map<std::string, Made> all;
  std::mutex mutex;
  BenchOptions options;
  options.repeats = 1;
  options.sizes = {std::to_string(domain.size(2)) + "x" + std::to_string(domain.size(1)) + "x" +
                   std::to_string(domain.size(0))};
  options.seen = [&](const std::string& name, const dist::Strided& made, const Box& own) {
    const std::scoped_lock lock(mutex);
    Made& whole = all[name];
    whole.values.resize(static_cast<std::size_t>(made.components * domain.volume()));
    whole.voxels += own.volume();
    Context ctx;
    dist::copy_voxels(ctx, made,
                      made.dense(reinterpret_cast<std::byte*>(whole.values.data()), domain), own);
  };
  testing::internal::CaptureStdout();
  dist::run_threads(ranks, [&](dist::Comm& comm) {
    Context ctx;
    run_bench(ctx, comm, options);
  });
  testing::internal::GetCapturedStdout();
  return all;
}

/// 150 planes: the images repeat after 64, and no part begins there.
TEST(Bench, EveryCaseOnRanksMakesWhatOneRankMakes) {
  const Box domain = box_of({150, 20, 22});
  const auto one = made_on(1, domain);
  EXPECT_EQ(one.size(), 32U);
  for (const int ranks : {2, 3}) {
    const auto several = made_on(ranks, domain);
    ASSERT_EQ(several.size(), one.size());
    for (const auto& [name, whole] : one) {
      const Made& parts = several.at(name);
      EXPECT_EQ(parts.voxels, domain.volume()) << name;
      ASSERT_EQ(parts.values.size(), whole.values.size()) << name;
      EXPECT_EQ(std::memcmp(parts.values.data(), whole.values.data(),
                            whole.values.size() * sizeof(float)),
                0)
          << name << " on " << ranks << " ranks";
    }
  }
}

/// The columns of the rows of a run, by case.
std::map<std::string, std::vector<std::string>> rows_of(const Outcome& outcome) {
  std::map<std::string, std::vector<std::string>> rows;
  EXPECT_EQ(outcome.code, 0) << outcome.text;
  if (outcome.code != 0) return rows;
  std::istringstream lines(outcome.text);
  for (std::string line; std::getline(lines, line);) {
    std::vector<std::string> row;
    std::istringstream cells(line);
    for (std::string cell; std::getline(cells, cell, ',');) row.push_back(cell);
    EXPECT_EQ(row.size(), 14U) << line;
    EXPECT_TRUE(rows.emplace(row.at(5), row).second) << line;
  }
  return rows;
}

void expect_rows(const Outcome& outcome, const std::string& ranks) {
  const auto rows = rows_of(outcome);
  ASSERT_EQ(rows.size(), 1U + 28U) << outcome.text;
  constexpr std::size_t ranks_at = 4, seconds_at = 7, sent_at = 13;
  const std::int64_t plane = 24 * 20 * 4;  // of float32 [bytes]
  for (const auto& [name, row] : rows) {
    if (name == "case") continue;
    EXPECT_EQ(row[ranks_at], ranks) << name;
    EXPECT_GT(std::stod(row[seconds_at]), 0) << name;
  }
  const auto sent = [&](const std::string& name) { return std::stoll(rows.at(name)[sent_at]); };
  const bool one = ranks == "1";
  EXPECT_EQ(sent("mse"), 0);
  EXPECT_EQ(sent("lncc_r2"), one ? 0 : 4 * plane);  // the rim of the warped image
  EXPECT_EQ(sent("lncc_r5_missing"), one ? 0 : 10 * plane);
  EXPECT_EQ(sent("compose"), one ? 0 : 3 * 2 * plane);    // of the three components of u
  EXPECT_EQ(sent("mi_32"), one ? 0 : (32 * 32 + 1) * 8);  // the histogram
}

TEST(Bench, RowsSayRanksAndBytesSent) {
  const std::string command = "bench op --size 24x20x40 --repeats 2 --threads 1";
  expect_rows(test::run_program(command), "1");
  expect_rows(test::run_program(command + " --ranks 2"), "2");
#if defined(FFDP_HAS_MPI)
  setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
  setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
  expect_rows(test::run_command("mpirun --oversubscribe -n 2 " FFDP_PROGRAM " " + command), "2");
#endif
}

/// Both ranks work, send and wait in each iteration of each case; one rank only works.
TEST(Bench, TheTimelineShowsWhatEachRankDoes) {
  const test::TemporaryFolder folder;
  for (const int ranks : {1, 2}) {
    const std::string file = folder / "timeline.json";
    const Outcome outcome =
        test::run_program("bench iteration --size 24x20x40 --repeats 1 --ranks " +
                          std::to_string(ranks) + " --timeline " + file);
    ASSERT_EQ(outcome.code, 0) << outcome.text;
    std::ifstream in(file);
    std::map<std::string, int> found;  // "case, rank: what"
    const auto json = nlohmann::json::parse(in);
    for (const auto& event : json.at("traceEvents")) {
      EXPECT_GE(event.at("dur").get<double>(), 0);
      ++found[event.at("pid").get<std::string>() + ", " +
              std::to_string(event.at("tid").get<int>()) + ": " +
              event.at("name").get<std::string>()];
    }
    for (const std::string metric : {"lncc_r2", "mi_32", "mse", "gc"})
      for (int rank = 0; rank < ranks; ++rank) {
        const std::string who = "iteration_" + metric + " 24x20x40, " + std::to_string(rank) + ": ";
        EXPECT_EQ(found[who + "iteration"], 2) << who;
        for (const char* work :
             {"sample", "metric, gradient", "update moments", "compose", "smooth"})
          EXPECT_GE(found[who + work], 2) << who << work;
        // Rims of the warp and of the moments at least.
        for (const char* what : {"wait", "messages under way"})
          EXPECT_EQ(found[who + what] >= 4, ranks > 1) << who << what;
      }
  }
}

}  // namespace
}  // namespace ffdp::cli
