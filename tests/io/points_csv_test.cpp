// SPDX-License-Identifier: Apache-2.0
#include "ffdp/io/points_csv.hpp"

#include <fstream>

#include "tests/support/data.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"

namespace ffdp::io {
namespace {

void put(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}
std::string get(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

TEST(PointsCsv, OtherColumnsAndLineEndsStayAsTheyAre) {
  const test::TemporaryFolder folder;
  const std::string text =
      "x,y,z,t,label,comment\r\n1,2,3,0, 7,\"a, b\"\r\n-1.5,2e1,0.125,0,8,\r\n";
  put(folder / "a.csv", text);
  PointsTable table = read_points(folder / "a.csv");
  ASSERT_EQ(table.points.size(), 2U);
  EXPECT_EQ(table.points[1], (Vec3{-1.5, 20, 0.125}));
  table.points[0] = {9, 8, 7.25};
  write_points(folder / "b.csv", table);
  EXPECT_EQ(get(folder / "b.csv"),
            "x,y,z,t,label,comment\r\n9,8,7.25,0, 7,\"a, b\"\r\n-1.5,20,0.125,0,8,\r\n");
}

TEST(PointsCsv, ColumnsAreFoundByName) {
  const test::TemporaryFolder folder;
  put(folder / "a.csv", "label,Z,y,x\n5,3,2,1\n");
  EXPECT_EQ(read_points(folder / "a.csv").points.at(0), (Vec3{1, 2, 3}));
  put(folder / "b.csv", "x,y\n1,2\n");
  EXPECT_EQ(read_points(folder / "b.csv").points.at(0), (Vec3{1, 2, 0}));
}

TEST(PointsCsv, BadTablesAreRefusedByLine) {
  const test::TemporaryFolder folder;
  const auto message = [&](const std::string& text) -> std::string {
    put(folder / "a.csv", text);
    try {
      read_points(folder / "a.csv");
    } catch (const IoError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_NE(message("").find("is empty"), std::string::npos);
  EXPECT_NE(message("1,2,3\n").find("header with the columns x,y,z"), std::string::npos);
  EXPECT_NE(message("x,y,z\n1,2\n").find("line 2 has 2 cells, 3 are wanted"), std::string::npos);
  EXPECT_NE(message("x,y,z\n1,2,3\n1,two,3\n").find("line 3: got 'two'"), std::string::npos);
}

}  // namespace
}  // namespace ffdp::io
