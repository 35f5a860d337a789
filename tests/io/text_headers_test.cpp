// SPDX-License-Identifier: Apache-2.0
// MetaImage and NRRD.
#include <cstring>

#include "tests/support/data.hpp"
#include "tests/support/files.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"
#include "ffdp/io/nifti.hpp"
#include "ffdp/io/transform_file.hpp"

namespace ffdp::io {
namespace {

using test::message_of;
using test::put;

/// Values 0, 1, 2 ... as they lie in a file.
template <class T>
std::string counted(int count, bool big_endian) {
  std::string bytes;
  for (int i = 0; i < count; ++i) {
    const T value = static_cast<T>(i);
    char one[sizeof(T)];
    std::memcpy(one, &value, sizeof(T));
    if (big_endian) std::reverse(one, one + sizeof(T));
    bytes.append(one, sizeof(T));
  }
  return bytes;
}

/// A zlib stream of one stored block.
std::string packed(const std::string& content) {
  const auto length = static_cast<std::uint16_t>(content.size());
  std::uint32_t a = 1, b = 0;
  for (const char c : content) {
    a = (a + static_cast<unsigned char>(c)) % 65521;
    b = (b + a) % 65521;
  }
  const auto byte = [](std::uint32_t v) { return static_cast<char>(v & 255U); };
  return std::string{'\x78',
                     '\x01',
                     '\x01',
                     byte(length),
                     byte(length >> 8U),
                     byte(~std::uint32_t{length}),
                     byte(~std::uint32_t{length} >> 8U)} +
         content + std::string{byte(b >> 8U), byte(b), byte(a >> 8U), byte(a)};
}

/// 3 x 4 x 2 voxels of 1.5 x 2 x 3 mm, turned by a right angle.
Grid grid() {
  Grid g;
  g.size = {2, 4, 3};
  g.spacing = {1.5, 2, 3};
  g.origin = {10, -20, 30};
  g.direction = {{{0, -1, 0}, {1, 0, 0}, {0, 0, 1}}};
  return g;
}

const std::string meta =
    "ObjectType = Image\nNDims = 3\nBinaryData = True\nTransformMatrix = 0 1 0 -1 0 0 0 0 1\n"
    "Offset = 10 -20 30\nElementSpacing = 1.5 2 3\nDimSize = 3 4 2\n";
const std::string nrrd =
    "NRRD0004\n# a comment\ndimension: 3\nspace: left-posterior-superior\nsizes: 3 4 2\n"
    "space directions: (0,1.5,0) (-2,0,0) (0,0,3)\nkinds: domain domain domain\n"
    "space origin: (10,-20,30)\n";

TEST(TextHeaders, ScalarsAreReadInEveryFormOfTheirFiles) {
  const test::TemporaryFolder folder;
  const std::string little = counted<std::int16_t>(24, false),
                    big = counted<std::int16_t>(24, true);
  put(folder / "beside.raw", little);
  const std::pair<const char*, std::string> files[] = {
      {"a.mha", meta + "ElementType = MET_SHORT\nElementDataFile = LOCAL\n" + little},
      {"b.mha", meta +
                    "BinaryDataByteOrderMSB = True\nElementType = MET_SHORT\n"
                    "ElementDataFile = LOCAL\n" +
                    big},
      {"c.mha", meta + "CompressedData = True\nElementType = MET_SHORT\nElementDataFile = LOCAL\n" +
                    packed(little)},
      {"d.mhd", meta + "ElementType = MET_SHORT\nElementDataFile = beside.raw\n"},
      {"a.nrrd", nrrd + "type: short\nendian: little\nencoding: raw\n\n" + little},
      {"b.nrrd", nrrd + "type: int16\nendian: big\nencoding: raw\n\n" + big},
      {"d.nhdr", nrrd + "type: short\nendian: little\nencoding: raw\ndata file: beside.raw\n"},
      {"name_says_nothing", nrrd + "type: short\nendian: little\nencoding: raw\n\n" + little}};
  for (const auto& [name, content] : files) {
    put(folder / name, content);
    EXPECT_TRUE(is_nifti(folder / name)) << name;
    const auto image = read_image<float>(folder / name);
    EXPECT_TRUE(same_space(image.grid, grid(), 1e-9)) << name;
    for (int i = 0; i < 24; ++i) EXPECT_EQ(image.data.data()[i], i) << name;
  }
  NiftiReader reader(folder / "c.mha");
  const Box part{{1, 1, 1}, {2, 3, 3}};
  EXPECT_EQ(reader.read_box<int>(part, 0).view()(1, 2, 1), 12 + 6 + 1);
}

TEST(TextHeaders, SpacesOfNrrdAreTurnedToLps) {
  const test::TemporaryFolder folder;
  put(folder / "a.nrrd",
      "NRRD0005\ntype: uchar\ndimension: 3\nspace: RAS\nsizes: 3 4 2\n"
      "space directions: (0,-1.5,0) (2,0,0) (0,0,3)\nendian: little\nencoding: raw\n"
      "space origin: (-10,20,30)\n\n" +
          counted<std::uint8_t>(24, false));
  EXPECT_TRUE(same_space(read_info(folder / "a.nrrd").grid, grid(), 1e-9));
}

TEST(TextHeaders, WarpsAreReadWhicheverWayTheirVectorsLie) {
  const test::TemporaryFolder folder;
  const std::string values = counted<float>(72, false);
  put(folder / "w.mha",
      meta + "ElementNumberOfChannels = 3\nElementType = MET_FLOAT\nElementDataFile = LOCAL\n" +
          values);
  const std::string vectors =
      "NRRD0004\ntype: float\ndimension: 4\nspace: LPS\nsizes: 3 3 4 2\nspace directions: none "
      "(0,1.5,0) (-2,0,0) (0,0,3)\nkinds: vector domain domain domain\nendian: little\nencoding: "
      "raw\nspace origin: (10,-20,30)\n\n";
  put(folder / "w.nrrd", vectors + values);
  std::string planes = vectors;
  planes.replace(planes.find("3 3 4 2"), 7, "3 4 2 3");
  planes.replace(planes.find("none (0,1.5,0) (-2,0,0) (0,0,3)"), 31,
                 "(0,1.5,0) (-2,0,0) (0,0,3) none");
  put(folder / "p.nrrd", planes + values);
  for (const char* name : {"w.mha", "w.nrrd", "p.nrrd"}) {
    const auto file = read_transform(folder / name);
    const auto& field = *std::get<1>(file.transforms.at(0));
    EXPECT_TRUE(same_space(field.grid, grid(), 1e-9)) << name;
    for (int c = 0; c < 3; ++c)
      for (int i = 0; i < 24; ++i)
        EXPECT_EQ(field.data.data()[24 * c + i], name[0] == 'w' ? 3 * i + c : 24 * c + i) << name;
  }
}

TEST(TextHeaders, WhatCannotBeReadIsRefusedByName) {
  const test::TemporaryFolder folder;
  const auto refuse = [&](const std::string& content, const std::string& reason) {
    put(folder / "bad", content);
    const std::string message = message_of([&] { read_image<float>(folder / "bad"); });
    EXPECT_NE(message.find("bad: "), std::string::npos) << message;
    EXPECT_NE(message.find(reason), std::string::npos) << message;
  };
  const std::string local = "ElementDataFile = LOCAL\n", values = counted<std::uint8_t>(24, false);
  refuse(meta + "ElementType = MET_UCHAR\n" + local + values.substr(1), "ends before the voxels");
  refuse(meta + "ElementType = MET_UCHAR_ARRAY\n" + local + values, "MET_UCHAR_ARRAY");
  refuse(meta + local + values, "lacks 'ElementType'");
  refuse(meta + "ElementType = MET_UCHAR\nCompressedData = True\n" + local + values, "damaged");
  refuse(meta + "ElementType = MET_UCHAR\n", "does not end");
  refuse(meta + "ElementNumberOfChannels = many\nElementType = MET_UCHAR\n" + local, "many");
  refuse("NDims = -1e30\nDimSize = 3 4 2\n" + local, "3 numbers");
  refuse(nrrd + "type: uchar\nencoding: bzip2\n\n" + values, "bzip2");
  refuse(nrrd + "type: block\nencoding: raw\n\n" + values, "block");
  refuse(nrrd + "type: uchar\nspace: scanner-xyz\nencoding: raw\n\n" + values, "scanner-xyz");
  std::string sheared = nrrd;
  sheared.replace(sheared.find("(-2,0,0)"), 8, "(-2,1,0)");
  refuse(sheared + "type: uchar\nencoding: raw\n\n" + values, "sheared");
  std::string huge = nrrd;
  huge.replace(huge.find("sizes: 3 4 2"), 12, "sizes: 3000000 4000000 2");
  refuse(huge + "type: uchar\nencoding: raw\n\n" + values, "ends before the voxels");
}

}  // namespace
}  // namespace ffdp::io
