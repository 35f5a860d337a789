// SPDX-License-Identifier: Apache-2.0
// The same pictures for any pair: `ffdp evaluate --report` and `ffdp info --png`.
#include <string>
#include <vector>

#include "tests/cli/report_page.hpp"

#include <gtest/gtest.h>

#include "ffdp/io/nifti.hpp"

namespace ffdp {
namespace {

using test::run_program;

using ReportOfAPair = test::PhantomFolder;

TEST_F(ReportOfAPair, AnEvaluationHasAPage) {
  const std::string page = folder_ / "e.html", json = folder_ / "e.json";
  const auto outcome =
      run_program("evaluate -q --fixed " + file("fixed") + " --warped " + file("moving") +
                  " --fixed-labels " + file("fixed_labels") + " --warped-labels " +
                  file("moving_labels") + " --warp " + file("true_warp") + " --inverse-warp " +
                  file("true_warp") + " --json " + json + " --report " + page);
  ASSERT_EQ(outcome.code, 0) << outcome.text;
  const auto data = test::page_data(page);
  EXPECT_EQ(data["record"], nlohmann::json::parse(test::content_of(json)));
  for (const char* layer :
       {"fixed", "warped", "log_jacobian", "inverse_consistency", "fixed_labels", "warped_labels"})
    EXPECT_TRUE(data["layers"].contains(layer)) << layer;
  EXPECT_FALSE(data["layers"].contains("before"));
}

TEST_F(ReportOfAPair, AnEvaluationWithoutImagesHasNoPage) {
  const auto outcome =
      run_program("evaluate -q --warp " + file("true_warp") + " --report " + (folder_ / "e.html"));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.text.find("--fixed and --warped are wanted"), std::string::npos);
}

TEST_F(ReportOfAPair, AWarpThatThePageCannotShowIsNamed) {
  ASSERT_EQ(run_program("compose -q -t " + file("true_warp") + " -o " + (folder_ / "c.h5")).code,
            0);
  const auto outcome =
      run_program("evaluate --summary --fixed " + file("fixed") + " --warped " + file("moving") +
                  " --warp " + (folder_ / "c.h5") + " --report " + (folder_ / "e.html"));
  ASSERT_EQ(outcome.code, 0) << outcome.text;
  EXPECT_NE(outcome.text.find("the page shows no map of it"), std::string::npos) << outcome.text;
  EXPECT_FALSE(test::page_data(folder_ / "e.html")["layers"].contains("log_jacobian"));
}

/// Width and height of a PNG.
std::vector<int> size_of_png(const std::string& path) {
  const std::string bytes = test::content_of(path);
  EXPECT_EQ(bytes.substr(0, 8), "\x89PNG\r\n\x1a\n");
  std::vector<int> size;
  for (const std::size_t at : {16U, 20U}) {
    int value = 0;
    for (std::size_t i = at; i < at + 4; ++i)
      value = 256 * value + static_cast<unsigned char>(bytes.at(i));
    size.push_back(value);
  }
  return size;
}

TEST_F(ReportOfAPair, InfoDrawsImagesInProportion) {
  const std::string png = folder_ / "a.png";
  const auto one = run_program("info " + file("fixed") + " --png " + png);
  ASSERT_EQ(one.code, 0) << one.text;
  EXPECT_NE(one.text.find("axial"), std::string::npos) << one.text;
  EXPECT_NE(one.text.find("; black "), std::string::npos) << one.text;
  // 160 x 192 x 176 mm at 2 pixels a mm: axial, coronal and sagittal in a row.
  EXPECT_EQ(size_of_png(png), (std::vector<int>{320 + 6 + 320 + 6 + 384, 384}));
  ASSERT_EQ(run_program("info " + file("fixed") + " " + file("moving") + " --png " + png).code, 0);
  EXPECT_EQ(size_of_png(png)[1], 384 + 6 + 384);
}

TEST_F(ReportOfAPair, InfoDrawsVolumesOfASeries) {
  const auto image = io::read_image<float>(file("fixed"));
  const std::string path = folder_ / "series.nii.gz";
  io::NiftiWriter writer(path, image.grid, {.volumes = 4}, {});
  for (int v = 0; v < 4; ++v) writer.write(image.data.data(), image.data.size());
  writer.commit();
  const auto outcome = run_program("info " + path + " --png " + (folder_ / "s.png"));
  ASSERT_EQ(outcome.code, 0) << outcome.text;
  EXPECT_NE(outcome.text.find("volumes 1 2 4 of 4, from the top"), std::string::npos)
      << outcome.text;
  EXPECT_EQ(size_of_png(folder_ / "s.png")[1], 3 * 384 + 2 * 6);
}

TEST_F(ReportOfAPair, InfoDrawsASlice) {
  test::write_slice(file("fixed"), folder_ / "f.nii.gz");
  const auto outcome =
      run_program("info " + (folder_ / "f.nii.gz") + " --png " + (folder_ / "f.png"));
  ASSERT_EQ(outcome.code, 0) << outcome.text;
  EXPECT_NE(outcome.text.find("plane x, y; black"), std::string::npos) << outcome.text;
  EXPECT_EQ(size_of_png(folder_ / "f.png"), (std::vector<int>{320, 384}));
}

}  // namespace
}  // namespace ffdp
