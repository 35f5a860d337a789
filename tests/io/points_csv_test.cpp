// SPDX-License-Identifier: Apache-2.0
#include "ffdp/io/points_csv.hpp"

#include <fstream>

#include "tests/support/data.hpp"
#include "tests/support/files.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"

namespace ffdp::io {
namespace {

using test::put;

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

TEST(PointsCsv, DialectsOfSpreadsheetsAndViewersComeBackAsTheyAre) {
  const test::TemporaryFolder folder;
  const struct {
    std::string name, text, moved;  // by (1, 2, 3)
  } cases[] = {
      {"mark.csv", "\xef\xbb\xbfx,y,z\n1,2,3\n", "\xef\xbb\xbfx,y,z\n2,4,6\n"},
      {"mac.csv", "x,y,z\r1,2,3\r-1,0,5\r", "x,y,z\r2,4,6\r0,2,8\r"},
      {"dos.csv", "x,y,z\r\n1,2,3\r\n", "x,y,z\r\n2,4,6\r\n"},
      {"no_end.csv", "x,y,z\n1,2,3", "x,y,z\n2,4,6\n"},
      {"tab.csv", "x\ty\tz\n1\t2\t3\n", "x\ty\tz\n2\t4\t6\n"},
      {"semicolon.csv", "x;y;z;name\n1;2;3;a, b\n", "x;y;z;name\n2;4;6;a, b\n"},
      {"comma.csv", "x;y;z\n1,5;2;-3,25\n", "x;y;z\n2,5;4;-0,25\n"},
      {"sep.CSV", "sep=;\nX;Y;Z\n1;2;3\n", "sep=;\nX;Y;Z\n2;4;6\n"},
      {"table.tsv", "\"x\"\t\"y\"\t\"z\"\n1\t2\t3\n", "\"x\"\t\"y\"\t\"z\"\n2\t4\t6\n"},
      {"empty_rows.csv", "x,y,z\n,,\n1,2,3\n\n", "x,y,z\n2,4,6\n"},
      {"lps.fcsv",
       "# Markups fiducial file version = 4.11\n# CoordinateSystem = LPS\n"
       "# columns = id,x,y,z,ow,label\nid_0,1,2,3,0,F-1\n",
       "# Markups fiducial file version = 4.11\n# CoordinateSystem = LPS\n"
       "# columns = id,x,y,z,ow,label\nid_0,2,4,6,0,F-1\n"},
      {"ras.fcsv",
       "# Markups fiducial file version = 4.10\n# CoordinateSystem = 0\n"
       "# columns = id,x,y,z,label\nid_0,-1,-2,3,F\n",
       "# Markups fiducial file version = 4.10\n# CoordinateSystem = 0\n"
       "# columns = id,x,y,z,label\nid_0,-2,-4,6,F\n"},
  };
  for (const auto& c : cases) {
    EXPECT_TRUE(is_points_name(c.name)) << c.name;
    put(folder / c.name, c.text);
    PointsTable table = read_points(folder / c.name);
    for (Vec3& p : table.points)
      for (int i = 0; i < 3; ++i) p[i] += i + 1;
    write_points(folder / "out", table);
    EXPECT_EQ(get(folder / "out"), c.moved) << c.name;
  }
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
  EXPECT_NE(message("\xff\xfex\0").find("UTF-16"), std::string::npos);
  EXPECT_NE(message("# CoordinateSystem = IJK\n# columns = x,y,z\n").find("frame IJK"),
            std::string::npos);
  EXPECT_NE(message("1,2,3\n").find("header with the columns x,y,z"), std::string::npos);
  EXPECT_NE(message("x,y,z\n1,2\n").find("line 2 has 2 cells, 3 are wanted"), std::string::npos);
  EXPECT_NE(message("x,y,z\n1,2,3\n1,two,3\n").find("line 3: got 'two'"), std::string::npos);
}

}  // namespace
}  // namespace ffdp::io
