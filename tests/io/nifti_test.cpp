// SPDX-License-Identifier: Apache-2.0
#include "ffdp/io/nifti.hpp"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>

#include "tests/support/compare.hpp"
#include "tests/support/data.hpp"
#include "tests/support/fields.hpp"
#include "tests/support/files.hpp"
#include <sys/resource.h>

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"
#include "ffdp/io/byte_sink.hpp"
#include "ffdp/io/byte_source.hpp"
#include "ffdp/io/orientation.hpp"

namespace ffdp::io {
namespace {

using test::message_of;
using test::put;

/// A rotation by three angles, so that no axis is special.
Mat3 oblique(double a, double b, double c) {
  const Mat3 x{{{1, 0, 0}, {0, std::cos(a), -std::sin(a)}, {0, std::sin(a), std::cos(a)}}};
  const Mat3 y{{{std::cos(b), 0, std::sin(b)}, {0, 1, 0}, {-std::sin(b), 0, std::cos(b)}}};
  const Mat3 z{{{std::cos(c), -std::sin(c), 0}, {std::sin(c), std::cos(c), 0}, {0, 0, 1}}};
  return x * y * z;
}

Grid oblique_grid(Int3 size) {
  Grid grid;
  grid.size = size;
  grid.spacing = {0.75, 1.25, 2.5};
  grid.origin = {-31.25, 12.5, 100.75};
  grid.direction = oblique(0.3, -0.4, 0.5);
  return grid;
}

template <class T>
Image<T> numbered_image(const Grid& grid) {
  Image<T> image{grid, Field<T>(Backend::cpu, grid.domain())};
  std::int64_t i = 0;
  for (T& value : image.data) value = static_cast<T>((i++ * 37) % 127);
  return image;
}

WriteOptions options_for(DataType type) {
  WriteOptions options;
  options.type = type;
  options.threads = 2;
  return options;
}

std::string content_of(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}
template <class V>
void poke(std::string& bytes, std::size_t offset, V value) {
  std::memcpy(bytes.data() + offset, &value, sizeof(V));
}

template <class T>
class NiftiTypes : public testing::Test {};
using AllTypes =
    testing::Types<std::uint8_t, std::int8_t, std::uint16_t, std::int16_t, std::uint32_t,
                   std::int32_t, std::uint64_t, std::int64_t, float, double>;
TYPED_TEST_SUITE(NiftiTypes, AllTypes);

TYPED_TEST(NiftiTypes, WhatIsWrittenIsReadBackExactly) {
  const test::TemporaryFolder folder;
  auto image = numbered_image<TypeParam>(oblique_grid({5, 6, 7}));
  image.data.data()[3] = std::numeric_limits<TypeParam>::max();
  image.data.data()[4] = std::numeric_limits<TypeParam>::lowest();
  for (const char* name : {"a.nii", "a.nii.gz"}) {
    write_image(folder / name, image, options_for(data_type_of<TypeParam>()));
    const auto back = read_image<TypeParam>(folder / name);
    EXPECT_TRUE(same_space(back.grid, image.grid, 1e-5));
    EXPECT_TRUE(std::equal(back.data.begin(), back.data.end(), image.data.begin()));
    EXPECT_EQ(read_info(folder / name).type, data_type_of<TypeParam>());
  }
}

TYPED_TEST(NiftiTypes, BigEndianFilesAreRead) {
  const test::TemporaryFolder folder;
  const auto image = numbered_image<TypeParam>(oblique_grid({2, 3, 4}));
  write_image(folder / "a.nii", image, options_for(data_type_of<TypeParam>()));
  std::string bytes = content_of(folder / "a.nii");
  const auto swap = [&](std::size_t offset, std::size_t size, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
      std::reverse(bytes.begin() + static_cast<long>(offset + i * size),
                   bytes.begin() + static_cast<long>(offset + (i + 1) * size));
  };
  swap(0, 4, 1);
  swap(40, 2, 8);
  swap(68, 2, 4);
  swap(76, 4, 11);
  swap(252, 2, 2);
  swap(256, 4, 18);
  swap(112, 4, 0);
  swap(352, sizeof(TypeParam), 24);
  put(folder / "b.nii", bytes);
  const auto back = read_image<TypeParam>(folder / "b.nii");
  EXPECT_TRUE(read_info(folder / "b.nii").big_endian);
  EXPECT_TRUE(same_space(back.grid, image.grid, 1e-5));
  EXPECT_TRUE(std::equal(back.data.begin(), back.data.end(), image.data.begin()));
}

TEST(Nifti, ABoxReadAloneEqualsThatPartOfTheWhole) {
  const test::TemporaryFolder folder;
  const Box whole = box_of({6, 7, 8});
  const auto image = numbered_image<std::int16_t>(oblique_grid({6, 7, 8}));
  for (const char* name : {"a.nii", "a.nii.gz"}) {
    write_image(folder / name, image, options_for(DataType::int16));
    NiftiReader reader(folder / name);
    for (const Box& box : {whole, Box{{1, 2, 3}, {5, 4, 6}}, Box{{0, 3, 0}, {6, 4, 8}},
                           Box{{2, 0, 0}, {4, 7, 8}}, Box{{5, 6, 7}, {6, 7, 8}}}) {
      const Field<float> part = reader.read_box<float>(box, 0);
      test::for_each_voxel(box, [&](int z, int y, int x) {
        ASSERT_EQ(part.view()(z, y, x), image.data.view()(z, y, x)) << name << to_string(box);
      });
    }
    EXPECT_THROW(reader.read_box<float>(grow(whole, 1), 0), InvalidArgument);
  }
}

TEST(Nifti, SlopeAndInterceptAreAppliedBothWays) {
  const test::TemporaryFolder folder;
  Image<double> image{oblique_grid({2, 3, 4}), Field<double>(Backend::cpu, box_of({2, 3, 4}))};
  double value = -3;
  for (double& v : image.data) v = value += 0.5;
  WriteOptions options = options_for(DataType::uint8);
  options.slope = 0.5;
  options.intercept = -4;
  write_image(folder / "a.nii.gz", image, options);
  const auto back = read_image<double>(folder / "a.nii.gz");
  EXPECT_TRUE(std::equal(back.data.begin(), back.data.end(), image.data.begin()));
  EXPECT_EQ(read_info(folder / "a.nii.gz").value_type(), DataType::float32);
}

TEST(Nifti, IntegersAreRoundedAndClampedWhenWritten) {
  const test::TemporaryFolder folder;
  Image<float> image{Grid{}, Field<float>(Backend::cpu, box_of({1, 2, 3}))};
  image.grid.size = {1, 2, 3};
  const float values[6] = {-7, 0.5F, 1.49F, 300, std::nanf(""), 254.6F};
  std::copy(values, values + 6, image.data.begin());
  write_image(folder / "a.nii", image, options_for(DataType::uint8));
  const auto back = read_image<int>(folder / "a.nii");
  const int want[6] = {0, 1, 1, 255, 0, 255};
  EXPECT_TRUE(std::equal(want, want + 6, back.data.begin()));
}

TEST(Nifti, LabelsThatAreNoWholeNumbersInRangeAreRefused) {
  const test::TemporaryFolder folder;
  const Grid grid = oblique_grid({1, 1, 2});
  Image<double> image{grid, Field<double>(Backend::cpu, grid.domain())};
  for (double bad : {0.5, -1.0, 256.0, std::nan("")}) {
    image.data.data()[0] = 1;
    image.data.data()[1] = bad;
    write_image(folder / "a.nii", image, options_for(DataType::float64));
    EXPECT_THROW(read_image<std::uint8_t>(folder / "a.nii"), IoError) << bad;
  }
  image.data.data()[1] = 255;
  write_image(folder / "a.nii", image, options_for(DataType::float64));
  EXPECT_EQ(read_image<std::uint8_t>(folder / "a.nii").data.data()[1], 255);
}

TEST(Nifti, NaNAndInfinityAreKept) {
  const test::TemporaryFolder folder;
  auto image = numbered_image<float>(oblique_grid({1, 2, 2}));
  image.data.data()[0] = std::nanf("");
  image.data.data()[1] = HUGE_VALF;
  write_image(folder / "a.nii.gz", image, options_for(DataType::float32));
  const auto back = read_image<double>(folder / "a.nii.gz");
  EXPECT_TRUE(std::isnan(back.data.data()[0]));
  EXPECT_TRUE(std::isinf(back.data.data()[1]));
}

TEST(Nifti, VolumesOfASeriesAreReadOneByOne) {
  const test::TemporaryFolder folder;
  const Grid grid = oblique_grid({3, 4, 5});
  const auto image = numbered_image<std::int16_t>(grid);
  NiftiWriter writer(folder / "a.nii.gz", grid, {.volumes = 3, .time_step = 2.5},
                     options_for(DataType::int32));
  for (int volume = 0; volume < 3; ++volume)
    for (std::int64_t i = 0; i < image.data.size(); ++i) {
      const int value = image.data.data()[i] + 1000 * volume;
      writer.write(&value, 1);
    }
  writer.commit();
  NiftiReader reader(folder / "a.nii.gz");
  EXPECT_EQ(reader.info().volumes(), 3);
  EXPECT_EQ(reader.info().time_step, 2.5);
  for (int volume : {2, 0, 1})
    EXPECT_EQ(reader.read_volume<int>(volume).data.data()[7], image.data.data()[7] + 1000 * volume);
  EXPECT_NE(message_of([&] { read_image<float>(folder / "a.nii.gz"); }).find("3 volumes"),
            std::string::npos);
}

TEST(Nifti, TimeAndVectorsComeBackInTheirUnits) {
  const test::TemporaryFolder folder;
  const Grid grid = oblique_grid({3, 4, 5});
  for (const Series& series :
       {Series{.volumes = 3, .time_step = 2000, .time_offset = 500, .time_unit = 16},
        Series{.volumes = 2, .time_step = 2e6, .time_unit = 24},
        Series{.volumes = 2, .time_step = 0.5, .time_unit = 0},
        Series{.components = 4, .intent = 1003},
        Series{.volumes = 40000, .time_step = 3, .time_offset = -7, .time_unit = 16},
        Series{.volumes = 2, .components = 3}}) {
    const std::int64_t values = grid.domain().volume() * series.volumes * series.components;
    NiftiWriter writer(folder / "a.nii", grid, series, options_for(DataType::uint8));
    const std::vector<std::uint8_t> content(static_cast<std::size_t>(values), 1);
    writer.write(content.data(), values);
    writer.commit();
    EXPECT_EQ(read_info(folder / "a.nii").series(), series);
  }
}

TEST(Nifti, WarpsAreStoredPlaneByPlaneInLps) {
  const test::TemporaryFolder folder;
  const Grid grid = oblique_grid({3, 4, 5});
  const DisplacementImage warp{
      grid, test::make_vector_field(grid.domain(), [](int c, int z, int y, int x) {
        return 10.0 * c + static_cast<double>(noise(z, y, x, 3));
      })};
  write_displacement(folder / "w.nii.gz", warp, options_for(DataType::float32));
  const NiftiInfo info = read_info(folder / "w.nii.gz");
  EXPECT_EQ(info.dimension, 5);
  EXPECT_EQ(info.intent, intent_vector);
  EXPECT_EQ(info.components(), 3);
  const auto back = read_displacement(folder / "w.nii.gz");
  EXPECT_TRUE(std::equal(back.data.begin(), back.data.end(), warp.data.begin()));
  EXPECT_TRUE(same_space(back.grid, grid, 1e-5));
  // The same bytes under intent 1006 are RAS vectors.
  write_displacement(folder / "w.nii", warp, options_for(DataType::float32));
  std::string bytes = content_of(folder / "w.nii");
  poke(bytes, 68, std::int16_t{intent_displacement});
  put(folder / "r.nii", bytes);
  const auto ras = read_displacement(folder / "r.nii");
  for (int c = 0; c < 3; ++c)
    EXPECT_EQ(ras.data.view()[c](1, 2, 3), (c < 2 ? -1 : 1) * warp.data.view()[c](1, 2, 3));
}

TEST(Nifti, TwoDimensionalFilesStayTwoDimensional) {
  const test::TemporaryFolder folder;
  Grid grid;
  grid.size = {1, 4, 5};
  grid.spacing = {0.5, 0.25, 1};
  const auto image = numbered_image<float>(grid);
  write_image(folder / "a.nii", image, options_for(DataType::float32));
  EXPECT_EQ(read_info(folder / "a.nii").dimension, 2);
  const DisplacementImage warp{
      grid, test::make_vector_field(grid.domain(), [](int c, int z, int y, int x) {
        return c == 2 ? 0 : noise(z, y, x, 3);
      })};
  write_displacement(folder / "w.nii", warp, options_for(DataType::float32));
  EXPECT_EQ(read_info(folder / "w.nii").components(), 2);
  const auto back = read_displacement(folder / "w.nii");
  EXPECT_TRUE(std::equal(back.data.begin(), back.data.end(), warp.data.begin()));
}

TEST(Nifti, LongAxesMakeNifti2) {
  const test::TemporaryFolder folder;
  Grid grid = oblique_grid({1, 2, 40000});
  const auto image = numbered_image<std::uint8_t>(grid);
  write_image(folder / "a.nii.gz", image, options_for(DataType::uint8));
  const NiftiInfo info = read_info(folder / "a.nii.gz");
  EXPECT_EQ(info.version, 2);
  EXPECT_TRUE(same_space(info.grid, grid, 1e-9));
  const auto back = read_image<std::uint8_t>(folder / "a.nii.gz");
  EXPECT_TRUE(std::equal(back.data.begin(), back.data.end(), image.data.begin()));
}

TEST(Nifti, EveryThreadCountWritesTheSameBytes) {
  const test::TemporaryFolder folder;
  Image<float> image{oblique_grid({40, 100, 150}),
                     Field<float>(Backend::cpu, box_of({40, 100, 150}))};
  test::for_each_voxel(image.grid.domain(), [&](int z, int y, int x) {
    image.data.view()(z, y, x) = noise(z, y, x, 1);
  });
  WriteOptions options = options_for(DataType::float32);
  options.threads = 1;
  write_image(folder / "1.nii.gz", image, options);
  options.threads = 5;
  write_image(folder / "5.nii.gz", image, options);
  EXPECT_EQ(content_of(folder / "1.nii.gz"), content_of(folder / "5.nii.gz"));
  const auto back = read_image<float>(folder / "5.nii.gz");
  EXPECT_TRUE(std::equal(back.data.begin(), back.data.end(), image.data.begin()));
}

TEST(Orientation, QuaternionsComeBackFromAnyRotation) {
  for (int i = 0; i < 300; ++i) {
    const double pi = std::acos(-1.0);
    Mat3 m = oblique(i % 7 * pi / 3, i % 5 * pi / 2, i * 0.37);
    if (i % 2)
      for (auto& row : m) row[2] = -row[2];
    const Mat3 back = rotation_of(quaternion_of(m));
    for (int r = 0; r < 3; ++r)
      for (int c = 0; c < 3; ++c) ASSERT_LT(std::abs(back[r][c] - m[r][c]), 1e-7) << i;
  }
}

/// The header rules, as ITK 5.4 (SimpleITK 2.5.7) was seen to decide for the same headers.
struct Rule {
  int qform_code, sform_code;
  double sform_turn, shear;  ///< of the sform against the qform [rad], [1]
  GridSource want;
};
class HeaderRules : public testing::TestWithParam<Rule> {};

TEST_P(HeaderRules, AreThoseOfItk) {
  const Rule rule = GetParam();
  NiftiInfo info;
  info.path = "x.nii";
  info.grid.size = {4, 5, 6};
  info.qform_code = rule.qform_code;
  info.sform_code = rule.sform_code;
  Mat3 sheared{{{1, rule.shear, 0}, {0, 1, 0}, {0, 0, 1}}};
  info.qform.linear = oblique(0.1, 0.2, 0.3);
  info.sform.linear = oblique(0.1, 0.2, 0.3 + rule.sform_turn) * sheared;
  place_grid(info, {1, 1, 1});
  EXPECT_EQ(info.grid_source, rule.want);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, HeaderRules,
    testing::Values(Rule{0, 0, 0, 0, GridSource::spacing_only},
                    Rule{1, 0, 0.5, 0, GridSource::qform}, Rule{0, 2, 0.5, 0, GridSource::sform},
                    Rule{1, 1, 0.5, 0, GridSource::sform}, Rule{2, 1, 0.5, 0, GridSource::sform},
                    Rule{1, 2, 0.5, 0, GridSource::qform}, Rule{1, 4, 0.5, 0, GridSource::qform},
                    Rule{1, 2, 1e-6, 0, GridSource::sform}, Rule{1, 2, 1e-3, 0, GridSource::qform},
                    Rule{1, 1, 0.5, 1e-3, GridSource::qform},
                    Rule{1, 1, 0.5, 5e-5, GridSource::sform}));

TEST(Orientation, AShearedSformAloneIsRefused) {
  NiftiInfo info;
  info.path = "x.nii";
  info.sform_code = 1;
  info.sform.linear = {{{1, 0.3, 0}, {0, 1, 0}, {0, 0, 1}}};
  EXPECT_THROW(place_grid(info, {1, 1, 1}), IoError);
}

TEST(Orientation, TransformsThatDisagreeAreReported) {
  NiftiInfo info;
  info.grid.size = {4, 4, 4};
  info.qform_code = info.sform_code = 1;
  info.sform.translation = {5, 0, 0};
  place_grid(info, {1, 1, 1});
  ASSERT_EQ(info.warnings.size(), 1U);
  EXPECT_NE(info.warnings[0].find("differ"), std::string::npos);
}

/// A good file to be broken.
std::string good_file(const test::TemporaryFolder& folder) {
  const auto image = numbered_image<std::int16_t>(oblique_grid({4, 5, 6}));
  write_image(folder / "good.nii", image, options_for(DataType::int16));
  return content_of(folder / "good.nii");
}

TEST(BrokenNifti, EachIsRefusedByNameAndReason) {
  const test::TemporaryFolder folder;
  const std::string good = good_file(folder);
  const auto refuse = [&](const char* name, const std::string& bytes, const char* reason) {
    put(folder / name, bytes);
    const std::string message = message_of([&] { read_image<float>(folder / name); });
    EXPECT_NE(message.find(name), std::string::npos) << name << ": " << message;
    EXPECT_NE(message.find(reason), std::string::npos) << name << ": " << message;
  };
  const auto with = [&](std::size_t offset, auto value) {
    std::string bytes = good;
    poke(bytes, offset, value);
    return bytes;
  };
  refuse("empty.nii", "", "no data");
  refuse("text.nii", "this is no image at all", "no NIfTI");
  refuse("short.nii", good.substr(0, good.size() - 1), "ends before");
  refuse("header_only.nii", good.substr(0, 352), "ends before");
  refuse("zero_axis.nii", with(44, std::int16_t{0}), "axis y has size 0");
  refuse("negative_axis.nii", with(42, std::int16_t{-3}), "axis x has size -3");
  refuse("no_axes.nii", with(40, std::int16_t{0}), "0 axes");
  refuse("complex.nii", with(70, std::int16_t{32}), "complex64");
  refuse("rgb.nii", with(70, std::int16_t{128}), "RGB24");
  refuse("type.nii", with(70, std::int16_t{77}), "unknown");
  refuse("analyze.nii", with(344, std::int32_t{0}), "Analyze");
  refuse("pair.nii", with(345, 'i'), ".hdr/.img");
  refuse("huge.nii", with(42, std::int16_t{32767}), "ends before");
  EXPECT_NE(message_of([&] { read_info(folder / "missing.nii"); }).find("No such file"),
            std::string::npos);
  EXPECT_NE(message_of([&] { read_info(folder.path()); }).find("no regular file"),
            std::string::npos);
}

TEST(Nifti, EveryCompressionLevelHoldsTheSame) {
  const test::TemporaryFolder folder;
  // Four members, of bytes that do not shrink and of bytes that do.
  Image<std::uint8_t> image{oblique_grid({40, 300, 300}),
                            Field<std::uint8_t>(Backend::cpu, box_of({40, 300, 300}))};
  test::for_each_voxel(image.grid.domain(), [&](int z, int y, int x) {
    image.data.view()(z, y, x) = z < 25 ? static_cast<std::uint8_t>(256 * noise(z, y, x, 1))
                                        : static_cast<std::uint8_t>(y % 7);
  });
  WriteOptions options = options_for(DataType::uint8);
  for (const int level : {1, 2, 6, 12}) {
    SCOPED_TRACE(level);
    options.compression_level = level;
    write_image(folder / "a.nii.gz", image, options);
    EXPECT_EQ(std::system(("gzip -t " + (folder / "a.nii.gz")).c_str()), 0);
    const std::size_t noise_bytes = std::size_t{25} * 300 * 300, rows = std::size_t{15} * 300 * 300;
    EXPECT_LT(content_of(folder / "a.nii.gz").size(),
              noise_bytes + (level == 1 ? rows / 20 : noise_bytes / 100));
    const auto back = read_image<std::uint8_t>(folder / "a.nii.gz");
    EXPECT_TRUE(std::equal(back.data.begin(), back.data.end(), image.data.begin()));
  }
}

TEST(Nifti, OneLongMemberAndManyShortOnesHoldTheSame) {
  const test::TemporaryFolder folder;
  // 40 MiB of noise: more than is unpacked at once.
  Image<float> image{oblique_grid({100, 320, 330}),
                     Field<float>(Backend::cpu, box_of({100, 320, 330}))};
  test::for_each_voxel(image.grid.domain(), [&](int z, int y, int x) {
    image.data.view()(z, y, x) = noise(z, y, x, 1);
  });
  write_image(folder / "many.nii.gz", image, options_for(DataType::float32));
  write_image(folder / "raw.nii", image, options_for(DataType::float32));
  ASSERT_EQ(std::system(("gzip -1 " + (folder / "raw.nii")).c_str()), 0);
  for (const char* name : {"many.nii.gz", "raw.nii.gz"}) {
    NiftiReader reader(folder / name);
    const Box box{{40, 0, 0}, {90, 320, 330}};
    for (int twice = 0; twice < 2; ++twice) {  // the second time it goes back
      const Field<float> part = reader.read_box<float>(box, 0);
      EXPECT_TRUE(std::equal(part.begin(), part.end(), &image.data.view()(40, 0, 0))) << name;
    }
  }
}

Image<float> noise_image() {
  Image<float> image{oblique_grid({30, 40, 50}), Field<float>(Backend::cpu, box_of({30, 40, 50}))};
  int i = 0;
  for (float& v : image.data) v = noise(0, 0, i++, 1);
  return image;
}

TEST(BrokenNifti, ATruncatedOrDamagedGzipIsRefused) {
  const test::TemporaryFolder folder;
  const Image<float> image = noise_image();
  write_image(folder / "a.nii.gz", image, options_for(DataType::float32));
  const std::string good = content_of(folder / "a.nii.gz");
  for (double part : {0.01, 0.5, 0.999}) {
    put(folder / "t.nii.gz", good.substr(0, static_cast<std::size_t>(part * double(good.size()))));
    EXPECT_THROW(read_image<float>(folder / "t.nii.gz"), IoError) << part;
  }
  for (std::size_t cut : {1, 5, 8}) {  // of the size and the checksum behind the content
    put(folder / "t.nii.gz", good.substr(0, good.size() - cut));
    EXPECT_NE(message_of([&] { read_image<float>(folder / "t.nii.gz"); }).find("file ends"),
              std::string::npos)
        << cut;
  }
  for (std::size_t at : {good.size() / 2, good.size() - 5, good.size() - 1}) {
    std::string damaged = good;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
    put(folder / "d.nii.gz", damaged);
    EXPECT_THROW(read_image<float>(folder / "d.nii.gz"), IoError) << at;
  }
}

TEST(Nifti, GzipHeadersAndWhatFollowsTheLastMember) {
  const test::TemporaryFolder folder;
  const Image<float> image = noise_image();
  write_image(folder / "a.nii.gz", image, options_for(DataType::float32));
  const std::string good = content_of(folder / "a.nii.gz");
  const std::string magic("\x1f\x8b\x08", 3), rest(6, '\0'), deflated = good.substr(10);
  const std::string extra = std::string("\x04\x00", 2) + "FFDP", name("a.nii\0", 6);
  const auto reads = [&](const std::string& bytes) {
    put(folder / "b.nii.gz", bytes);
    const auto back = read_image<float>(folder / "b.nii.gz");
    return std::equal(back.data.begin(), back.data.end(), image.data.begin());
  };
  EXPECT_TRUE(reads(magic + '\x08' + rest + name + deflated));
  const std::string member = magic + '\x1c' + rest + extra + name + name + deflated;
  EXPECT_TRUE(reads(member));
  EXPECT_TRUE(reads(magic + '\x08' + rest + std::string(300000, 'n') + '\0' + deflated));
  const std::string empty = magic + std::string(7, '\0') + "\x03" + std::string(9, '\0');
  EXPECT_TRUE(reads(empty + good));
  EXPECT_TRUE(reads(good + empty + std::string(512, '\0')));  // as tape drives pad
  put(folder / "padded.gz", good + std::string(512, '\0'));
  EXPECT_EQ(read_file(folder / "padded.gz", 1 << 20), read_file(folder / "a.nii.gz", 1 << 20));
  // The file is read by pieces of 2^18 bytes: ends of pieces within headers, and within the sums
  // before them.
  const auto named = [&](std::size_t bytes) {
    return magic + '\x08' + rest + std::string(bytes, 'n') + '\0' + empty.substr(10);
  };
  for (std::size_t before = 0; before <= 32; ++before)
    EXPECT_TRUE(reads(named((1 << 18) - before - named(0).size()) + member)) << before;
}

TEST(BrokenNifti, AHeaderThatLiesIsRefusedBeforeAnythingIsAllocated) {
  const test::TemporaryFolder folder;
  std::string bytes = good_file(folder);
  for (std::size_t axis = 0; axis < 3; ++axis) poke(bytes, 42 + 2 * axis, std::int16_t{32767});
  put(folder / "raw.nii", bytes);
  ByteSink gzip(folder / "gzip.nii.gz", 1, 1);
  gzip.write(bytes.data(), bytes.size());
  gzip.commit();
#if !defined(FFDP_SANITIZE)  // which reserves terabytes itself
  rlimit old{};
  getrlimit(RLIMIT_AS, &old);
  rlimit tight = old;
  tight.rlim_cur = std::size_t{4} << 30;
  setrlimit(RLIMIT_AS, &tight);
#endif
  for (const char* name : {"raw.nii", "gzip.nii.gz"})
    EXPECT_NE(message_of([&] { read_image<float>(folder / name); }).find("32767x32767x32767"),
              std::string::npos)
        << name;
#if !defined(FFDP_SANITIZE)
  setrlimit(RLIMIT_AS, &old);
#endif
}

/// The bytes of a small image: header, four bytes, 60 voxels.
std::string file_bytes(const test::TemporaryFolder& folder, DataType type) {
  const auto image = numbered_image<std::uint8_t>(oblique_grid({3, 4, 5}));
  write_image(folder / "whole.nii", image, options_for(type));
  std::ifstream stream(folder / "whole.nii", std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

void put_bytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

template <class T>
void put_value(std::string& bytes, std::size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof(value));
}

TEST(Nifti, PairsAreReadByEitherName) {
  const test::TemporaryFolder folder;
  const std::string bytes = file_bytes(folder, DataType::int16);
  std::string header = bytes.substr(0, 348), voxels = bytes.substr(352);
  header.replace(344, 3, "ni1");
  put_value(header, 108, 0.0F);
  put_bytes(folder / "p.hdr", header);
  put_bytes(folder / "p.img", voxels);
  const auto want = read_image<float>(folder / "whole.nii");
  for (const char* name : {"p.hdr", "p.img"}) {
    EXPECT_TRUE(is_nifti(folder / name)) << name;
    EXPECT_EQ(read_info(folder / name).data_path, folder / "p.img") << name;
    const auto got = read_image<float>(folder / name);
    EXPECT_EQ(got.grid, want.grid) << name;
    EXPECT_TRUE(std::equal(got.data.begin(), got.data.end(), want.data.begin())) << name;
  }
  put_bytes(folder / "p.img", voxels.substr(1));
  EXPECT_NE(message_of([&] { read_info(folder / "p.hdr"); }).find("ends before"),
            std::string::npos);
  std::filesystem::remove(folder / "p.img");
  EXPECT_NE(message_of([&] { read_info(folder / "p.hdr"); }).find(".img is not there"),
            std::string::npos);
  put_bytes(folder / "lone.img", voxels);
  EXPECT_FALSE(is_nifti(folder / "lone.img"));
}

TEST(Nifti, TheContentDecidesAndNotTheName) {
  const test::TemporaryFolder folder;
  const std::string bytes = file_bytes(folder, DataType::int16);
  for (const char* name : {"MD5E-s31--a3f0", "M.NII.GZ", "not_packed.nii.gz", "image.mat"}) {
    put_bytes(folder / name, bytes);
    EXPECT_TRUE(is_nifti(folder / name)) << name;
    EXPECT_EQ(read_image<float>(folder / name).data.data()[3],
              numbered_image<std::uint8_t>(oblique_grid({3, 4, 5})).data.data()[3])
        << name;
  }
  put_bytes(folder / "words", "x,y,z\n1,2,3\n");
  EXPECT_FALSE(is_nifti(folder / "words"));
  EXPECT_TRUE(is_nifti_name("A.NII.GZ") && is_nifti_name("a.Nii"));
}

TEST(Nifti, ColoursHaveAGeometryButNoNumbers) {
  const test::TemporaryFolder folder;
  std::string bytes = file_bytes(folder, DataType::uint8);
  const Grid grid = read_info(folder / "whole.nii").grid;
  put_value(bytes, 70, std::int16_t{128});
  put_value(bytes, 72, std::int16_t{24});
  put_bytes(folder / "short.nii", bytes);
  EXPECT_NE(message_of([&] { read_info(folder / "short.nii"); }).find("RGB24"), std::string::npos);
  put_bytes(folder / "rgb.nii", bytes + std::string(120, '\0'));
  const NiftiInfo info = read_info(folder / "rgb.nii");
  EXPECT_EQ(info.grid, grid);
  EXPECT_EQ(info.unsupported, "RGB24");
  for (const auto& read :
       {std::function<void()>([&] { require_scalar(info); }),
        std::function<void()>([&] { read_image<float>(folder / "rgb.nii"); }),
        std::function<void()>([&] { NiftiReader(folder / "rgb.nii").read_volume<float>(0); })})
    EXPECT_NE(message_of(read).find("voxels are RGB24"), std::string::npos);
}

TEST(Nifti, VoxelsCannotStartAnywhere) {
  const test::TemporaryFolder folder;
  std::string bytes = file_bytes(folder, DataType::uint8);
  for (const float offset : {-1e30F, 1e30F, NAN}) {
    put_value(bytes, 108, offset);
    put_bytes(folder / "a.nii", bytes);
    EXPECT_NE(message_of([&] { read_info(folder / "a.nii"); }).find("voxels start at"),
              std::string::npos)
        << offset;
  }
}

/// A header that claims 140 TB of voxels that cannot be read costs no memory.
TEST(Nifti, VoxelsThatCannotBeReadGetNoMemory) {
  const test::TemporaryFolder folder;
  std::string bytes = file_bytes(folder, DataType::uint8);
  for (int j = 1; j <= 3; ++j)
    put_value(bytes, static_cast<std::size_t>(40 + 2 * j), std::int16_t{32767});
  put_value(bytes, 70, std::int16_t{0});  // no type
  put_value(bytes, 72, std::int16_t{0});  // no bits
  put_bytes(folder / "a.nii", bytes);
  EXPECT_NE(
      message_of([&] { NiftiReader(folder / "a.nii").read_volume<float>(0); }).find("voxels are "),
      std::string::npos);
}

TEST(Nifti, WherePixdimSaysNothingTheSformDoes) {
  const test::TemporaryFolder folder;
  std::string bytes = file_bytes(folder, DataType::uint8);
  const Grid grid = read_info(folder / "whole.nii").grid;
  for (const float nothing : {0.0F, NAN}) {
    for (int j = 1; j <= 3; ++j) put_value(bytes, static_cast<std::size_t>(76 + 4 * j), nothing);
    put_value(bytes, 252, std::int16_t{0});  // qform
    put_bytes(folder / "a.nii", bytes);
    const NiftiInfo info = read_info(folder / "a.nii");
    EXPECT_TRUE(same_space(info.grid, grid, 1e-5)) << nothing;
    EXPECT_EQ(info.warnings.size(), 3U);
  }
  // One slice, whose axis z a writer left at 0.
  std::string slice = file_bytes(folder, DataType::uint8);
  put_value(slice, 46, std::int16_t{0});
  put_bytes(folder / "b.nii", slice);
  EXPECT_EQ(read_info(folder / "b.nii").grid.size, (Int3{1, grid.size[1], grid.size[2]}));
}

TEST(Writing, LinksStayAndLongNamesAreFoundOutAtOnce) {
  const test::TemporaryFolder folder;
  std::filesystem::create_directory(folder / "there");
  std::ofstream(folder / "there/a.nii") << "old";
  std::filesystem::create_symlink("there/a.nii", folder / "link.nii");
  std::filesystem::create_symlink("nothing.nii", folder / "open.nii");
  const auto image = numbered_image<std::uint8_t>(oblique_grid({3, 4, 5}));
  for (const char* name : {"link.nii", "open.nii"}) {
    write_image(folder / name, image, options_for(DataType::uint8));
    EXPECT_TRUE(std::filesystem::is_symlink(folder / name)) << name;
  }
  EXPECT_TRUE(same_space(read_info(folder / "there/a.nii").grid, image.grid, 1e-4));
  EXPECT_TRUE(same_space(read_info(folder / "nothing.nii").grid, image.grid, 1e-4));
  const std::string name = folder / (std::string(400, 'a') + ".nii");
  bool wrote = false;
  const std::string message = message_of([&] {
    NiftiWriter writer(name, image.grid, {}, options_for(DataType::uint8));
    wrote = true;
  });
  EXPECT_FALSE(wrote);
  EXPECT_NE(message.find("the name has 404 bytes, at most"), std::string::npos) << message;
}

TEST(NiftiWriter, NothingStaysBehindWithoutCommit) {
  const test::TemporaryFolder folder;
  {
    NiftiWriter writer(folder / "a.nii.gz", oblique_grid({2, 2, 2}), {},
                       options_for(DataType::uint8));
    const std::uint8_t one = 1;
    writer.write(&one, 1);
    EXPECT_EQ(folder.count(), 1U);
    EXPECT_FALSE(std::filesystem::exists(folder / "a.nii.gz"));
    EXPECT_THROW(writer.commit(), InvalidArgument);
  }
  EXPECT_EQ(folder.count(), 0U);
}

TEST(NiftiWriter, FailuresNameThePathAndTheReason) {
  const auto image = numbered_image<float>(oblique_grid({2, 2, 2}));
  const WriteOptions options = options_for(DataType::float32);
  const auto writing = [&](const std::string& path) {
    return message_of([&] { write_image(path, image, options); });
  };
  EXPECT_NE(writing("/nowhere/a.nii").find("/nowhere/a.nii: cannot be written: No such file"),
            std::string::npos);
  const test::TemporaryFolder folder;
  std::filesystem::create_symlink("/dev/full", folder / "full.nii");
  EXPECT_NE(writing(folder / "full.nii").find("No space left on device"), std::string::npos);
  std::filesystem::create_symlink("/dev/full", folder / "full.nii.gz");
  EXPECT_NE(writing(folder / "full.nii.gz").find("No space left on device"), std::string::npos);
  EXPECT_NE(writing(folder / "a.png").find("must end in .nii"), std::string::npos);
}

}  // namespace
}  // namespace ffdp::io
