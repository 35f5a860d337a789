// SPDX-License-Identifier: Apache-2.0
// The page of a registration: what it holds, and what it warns of.
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "tests/cli/report_page.hpp"

#include <gtest/gtest.h>

#include "ffdp/io/nifti.hpp"

namespace ffdp {
namespace {

using test::run_program;

using ReportPage = test::RegisteredPhantom;

constexpr std::uintmax_t most_bytes = 3'000'000;

TEST_F(ReportPage, HoldsTheRecordAndAllPictures) {
  register_pair("--report --moving-labels " + file("moving_labels"));
  const auto page = data();
  EXPECT_EQ(page["record"], record());
  EXPECT_EQ(page["pictures"].size(), 9U);
  for (const char* layer :
       {"fixed", "warped", "before", "log_jacobian", "inverse_consistency", "warped_labels"}) {
    ASSERT_TRUE(page["layers"].contains(layer)) << layer;
    EXPECT_EQ(page["layers"][layer]["png"].size(), 9U) << layer;
  }
  EXPECT_FALSE(page["layers"].contains("fixed_labels"));
  // One window for what is made of the moving image, one for the fixed.
  EXPECT_EQ(page["layers"]["warped"]["hi"], page["layers"]["before"]["hi"]);
  EXPECT_LT(std::filesystem::file_size(folder_ / "p_report.html"), most_bytes);
}

TEST_F(ReportPage, NeedsNoNetwork) {
  register_pair("--report");
  const std::string html = test::content_of(folder_ / "p_report.html");
  for (const char* part : {"src=\"http", "href=\"http", "url(http", "@import", "fetch(", "import("})
    EXPECT_EQ(html.find(part), std::string::npos) << part;
}

TEST_F(ReportPage, IsMadeAfterwardsToo) {
  register_pair("--report");
  const auto before = test::content_of(folder_ / "p_report.html");
  std::filesystem::remove(folder_ / "p_report.html");
  ASSERT_EQ(run_program("report -q " + prefix()).code, 0);
  EXPECT_EQ(test::content_of(folder_ / "p_report.html"), before);
  const auto with_labels = run_program("report " + prefix() + " --fixed-labels " +
                                       file("fixed_labels") + " -o " + (folder_ / "other.html"));
  EXPECT_EQ(with_labels.code, 0) << with_labels.text;
  EXPECT_TRUE(test::page_data(folder_ / "other.html")["layers"].contains("fixed_labels"));
}

TEST_F(ReportPage, IsTheSameOnAnyNumberOfRanks) {
  register_pair("--report");
  const auto one = data();
  register_pair("--report --ranks 3");
  EXPECT_EQ(data()["layers"], one["layers"]);
  EXPECT_EQ(data()["checks"], one["checks"]);
}

TEST_F(ReportPage, FilesThatWereNotWrittenAreDoneWithout) {
  register_pair("--report");
  const auto whole = data()["layers"];
  register_pair("--report --write warp");
  const auto layers = data()["layers"];
  EXPECT_FALSE(layers.contains("inverse_consistency"));
  EXPECT_EQ(layers["log_jacobian"], whole["log_jacobian"]);
  // The warped image is made from the moving one instead.
  EXPECT_EQ(layers["warped"]["png"].size(), 9U);
  EXPECT_NEAR(layers["warped"]["hi"], whole["warped"]["hi"], 0.02 * double(whole["warped"]["hi"]));
  register_pair("--report --write inverse-warp");
  EXPECT_FALSE(data()["layers"].contains("warped"));
  register_pair("--report --no-deformable");
  EXPECT_TRUE(data()["layers"].contains("warped"));
  EXPECT_FALSE(data()["layers"].contains("log_jacobian"));
  EXPECT_EQ(verdict("jacobian"), "not checked");
  EXPECT_EQ(verdict("cost"), "not checked");
}

TEST_F(ReportPage, ASliceHasOnePicture) {
  test::write_slice(file("fixed"), folder_ / "f.nii.gz");
  test::write_slice(file("moving"), folder_ / "m.nii.gz");
  register_files(folder_ / "f.nii.gz", folder_ / "m.nii.gz", "--report");
  const auto page = data();
  EXPECT_TRUE(page["flat"]);
  ASSERT_EQ(page["pictures"].size(), 1U);
  EXPECT_EQ(page["pictures"][0]["ends"][0], "-x");
  EXPECT_TRUE(page["layers"].contains("inverse_consistency"));
}

TEST_F(ReportPage, SaysWhatIsMissing) {
  const auto fails = [](const std::string& arguments, const std::string& part) {
    const auto outcome = run_program(arguments);
    EXPECT_EQ(outcome.code, 1);
    EXPECT_NE(outcome.text.find(part), std::string::npos) << outcome.text;
  };
  fails("report " + (folder_ / "none_"), "none_.json: cannot be opened");
  std::ofstream(folder_ / "old_.json") << "{}";
  fails("report " + (folder_ / "old_"), "is not the record of a registration");
  register_pair("");
  std::filesystem::remove(file("moving"));
  fails("report " + prefix(), "which is gone");
}

// ---- the checks: each has a case that warns and one that does not ----

TEST_F(ReportPage, WarnsOfNothingWhereAllIsWell) {
  register_pair("--report");
  for (const char* name : {"headers", "files", "overlap", "jacobian", "inverse", "cost"})
    EXPECT_EQ(verdict(name), "good") << name << data()["checks"].dump(1);
  EXPECT_EQ(verdict("masks"), "not checked");
}

TEST_F(ReportPage, WarnsOfHeadersThatDisagree) {
  const auto image = io::read_image<float>(file("fixed"));
  io::write_image(folder_ / "f.nii", image, {});
  std::fstream stream(folder_ / "f.nii", std::ios::binary | std::ios::in | std::ios::out);
  constexpr int offset_of_sform_x = 280 + 3 * 4;
  float x = 0;
  stream.seekg(offset_of_sform_x);
  stream.read(reinterpret_cast<char*>(&x), sizeof(x));
  x += 10;
  stream.seekp(offset_of_sform_x);
  stream.write(reinterpret_cast<const char*>(&x), sizeof(x));
  stream.close();
  register_files(folder_ / "f.nii", file("moving"), "--report");
  EXPECT_EQ(verdict("headers"), "warning");
  EXPECT_NE(words("headers").find("sform and qform differ"), std::string::npos);
}

TEST_F(ReportPage, WarnsOfInputsThatWereReplaced) {
  std::filesystem::copy_file(file("moving"), folder_ / "p_Warped.nii.gz");
  register_files(file("fixed"), folder_ / "p_Warped.nii.gz", "--report");
  EXPECT_EQ(verdict("files"), "warning");
  EXPECT_NE(words("files").find("p_Warped.nii.gz"), std::string::npos);
}

TEST_F(ReportPage, WarnsOfASmallOverlap) {
  register_pair("");
  // 48 voxels of 4 mm along y: 80 mm leave 58 % of it, 110 mm leave 43 %.
  for (const auto& [mm, want] : std::map<int, std::string>{{80, "good"}, {110, "warning"}}) {
    std::ofstream(folder_ / "t.txt")
        << "#Insight Transform File V1.0\n#Transform 0\nTransform: AffineTransform_double_3_3\n"
           "Parameters: 1 0 0 0 1 0 0 0 1 0 "
        << mm << " 0\nFixedParameters: 0 0 0\n";
    ASSERT_EQ(run_program("compose -q -t " + (folder_ / "t.txt") + " -o " +
                          (folder_ / "p_0GenericAffine.mat"))
                  .code,
              0);
    remake();
    EXPECT_EQ(verdict("overlap"), want) << words("overlap");
  }
}

TEST_F(ReportPage, WarnsOfMasksThatTouchTheEdge) {
  auto mask = io::read_image<float>(file("fixed"));
  const auto write_mask = [&](int margin) {
    for (int z = 0; z < mask.grid.size[0]; ++z)
      for (int y = 0; y < mask.grid.size[1]; ++y)
        for (int x = 0; x < mask.grid.size[2]; ++x) {
          // Only the last plane along y is near.
          const bool in = z > 3 && y > 3 && x > 3 && z < mask.grid.size[0] - 4 &&
                          y < mask.grid.size[1] - margin && x < mask.grid.size[2] - 4;
          mask.data.view()(z, y, x) = in ? 1 : 0;
        }
    io::write_image(folder_ / "mask.nii.gz", mask, {});
  };
  write_mask(1);
  register_pair("--report --fixed-mask " + (folder_ / "mask.nii.gz"));
  EXPECT_EQ(verdict("masks"), "good") << words("masks");
  write_mask(0);
  for (const char* which : {"fixed", "moving"}) {
    register_pair(std::string("--report --") + which + "-mask " + (folder_ / "mask.nii.gz"));
    EXPECT_EQ(verdict("masks"), "warning");
    EXPECT_NE(words("masks").find("(" + test::high_end_of_y(mask.grid) + ")"), std::string::npos)
        << words("masks");
  }
}

TEST_F(ReportPage, WarnsOfWhatTheRecordSays) {
  register_pair("");
  const auto original = record();
  const auto check = [&](const char* name, const char* want, auto&& change) {
    auto changed = original;
    change(changed);
    std::ofstream(prefix() + ".json") << changed.dump();
    remake();
    EXPECT_EQ(verdict(name), want) << words(name);
  };
  check("jacobian", "good", [](auto& r) { r["jacobian"]["min"] = 0.11; });
  check("jacobian", "warning", [](auto& r) { r["jacobian"]["min"] = 0.09; });
  check("jacobian", "warning", [](auto& r) { r["jacobian"]["folded_voxels"] = 1; });
  check("inverse", "good", [](auto& r) { r["inverse"]["unconverged_voxels"] = 0; });
  check("inverse", "warning", [](auto& r) { r["inverse"]["unconverged_voxels"] = 1; });
  const auto last_cost = [](auto& r, double change) {
    auto& cost = r["levels"][0]["cost"];
    cost.back() = double(cost.front()) + change;
  };
  check("cost", "good", [&](auto& r) { last_cost(r, -1e-6); });
  check("cost", "warning", [&](auto& r) { last_cost(r, 0); });
  check("cost", "warning", [&](auto& r) { last_cost(r, 0.1); });
}

}  // namespace
}  // namespace ffdp
