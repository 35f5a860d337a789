// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fstream>
#include <iterator>
#include <string>

#include "tests/support/data.hpp"
#include "tests/support/program.hpp"
#include <nlohmann/json.hpp>

#include <gtest/gtest.h>

#include "ffdp/io/nifti.hpp"

namespace ffdp::test {

inline std::string content_of(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// The data that a page of `ffdp report` was made with.
inline nlohmann::json page_data(const std::string& path) {
  const std::string html = content_of(path),
                    open = "<script type=\"application/json\" id=\"data\">";
  const auto begin = html.find(open);
  EXPECT_NE(begin, std::string::npos) << path;
  const auto from = begin + open.size();
  return nlohmann::json::parse(html.substr(from, html.find("</script>", from) - from));
}

/// The middle plane of a volume as a plain 2-D image.
inline void write_slice(const std::string& volume, const std::string& path) {
  const auto image = io::read_image<float>(volume);
  Grid grid;
  grid.size = {1, image.grid.size[1], image.grid.size[2]};
  grid.spacing = {image.grid.spacing[0], image.grid.spacing[1], 1};
  Image<float> slice{grid, Field<float>(Backend::cpu, grid.domain())};
  for (int y = 0; y < grid.size[1]; ++y)
    for (int x = 0; x < grid.size[2]; ++x)
      slice.data.view()(0, y, x) = image.data.view()(image.grid.size[0] / 2, y, x);
  io::write_image(path, slice, {});
}

/// What the far end of index axis y is called, where it runs along y of the world.
inline std::string high_end_of_y(const Grid& grid) { return grid.direction[1][1] > 0 ? "P" : "A"; }

/// A small phantom pair in a folder of its own.
class PhantomFolder : public testing::Test {
 protected:
  void SetUp() override {
    const auto made = run_program("phantom -q --pair --size 40x48x44 --spacing 4 --warp-mm 6 -o " +
                                  folder_.path() + "/b");
    ASSERT_EQ(made.code, 0) << made.text;
  }
  std::string file(const std::string& name) const { return folder_ / ("b_" + name + ".nii.gz"); }
  TemporaryFolder folder_;
};

/// The same, to be registered.
class RegisteredPhantom : public PhantomFolder {
 protected:
  std::string prefix() const { return folder_ / "p_"; }
  void register_files(const std::string& fixed, const std::string& moving,
                      const std::string& more) const {
    const auto outcome = run_program("register -q --preset fast --threads 1 " + fixed + " " +
                                     moving + " -o " + prefix() + " " + more);
    ASSERT_EQ(outcome.code, 0) << outcome.text;
  }
  void register_pair(const std::string& more) const {
    register_files(file("fixed"), file("moving"), more);
  }
  /// Makes the page anew from the files.
  void remake() const {
    const auto outcome = run_program("report -q " + prefix());
    ASSERT_EQ(outcome.code, 0) << outcome.text;
  }
  nlohmann::json record() const { return nlohmann::json::parse(content_of(prefix() + ".json")); }
  nlohmann::json data() const { return page_data(prefix() + "report.html"); }
  nlohmann::json check(const std::string& name) const {
    const nlohmann::json checks = data()["checks"];
    for (const auto& c : checks)
      if (c["name"] == name) return c;
    return {{"verdict", "absent"}, {"text", ""}};
  }
  std::string verdict(const std::string& name) const { return check(name)["verdict"]; }
  std::string words(const std::string& name) const { return check(name)["text"]; }
};

}  // namespace ffdp::test
