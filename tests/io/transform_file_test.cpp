// SPDX-License-Identifier: Apache-2.0
#include "ffdp/io/transform_file.hpp"

#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "tests/support/compare.hpp"
#include "tests/support/data.hpp"
#include "tests/support/fields.hpp"
#include "tests/support/files.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"
#include "ffdp/io/itk_parameters.hpp"
#include "ffdp/io/nifti.hpp"

namespace ffdp::io {
namespace {

using test::message_of;
using test::put;

const Affine sample{{{{1.1, 0.2, -0.1}, {-0.05, 0.9, 0.3}, {0.15, -0.25, 1.05}}}, {10, -20, 30}};

/// Largest difference of the maps at points up to 100 mm away [mm].
double distance(const Affine& a, const Affine& b) {
  double most = 0;
  for (int corner = 0; corner < 8; ++corner) {
    const Vec3 p{corner & 1 ? 100.0 : -100, corner & 2 ? 100.0 : -100, corner & 4 ? 100.0 : -100};
    const Vec3 x = a(p), y = b(p);
    for (int i = 0; i < 3; ++i) most = std::max(most, std::abs(x[i] - y[i]));
  }
  return most;
}

Affine only_affine(const TransformFile& file) {
  EXPECT_EQ(file.transforms.size(), 1U);
  return std::get<Affine>(file.transforms.at(0));
}

TEST(TransformFile, AffinesComeBackFromEveryFormatWhateverTheCentre) {
  const test::TemporaryFolder folder;
  for (const char* name : {"a.mat", "a.txt", "a.tfm", "a.h5"}) {
    write_affine(folder / name, sample, {5, -60, 7}, 3);
    EXPECT_LT(distance(only_affine(read_transform(folder / name)), sample), 1e-12) << name;
  }
  EXPECT_THROW(write_affine(folder / "a.png", sample, {}, 3), IoError);
}

TEST(TransformFile, ACompositeComesBackInOrder) {
  const test::TemporaryFolder folder;
  Grid grid;
  grid.size = {3, 4, 5};
  grid.spacing = {1, 2, 3};
  grid.origin = {-4, 5, 6};
  grid.direction = {{{0, 1, 0}, {1, 0, 0}, {0, 0, -1}}};
  const auto field = std::make_shared<const DisplacementImage>(DisplacementImage{
      grid, test::make_vector_field(
                grid.domain(), [](int c, int z, int y, int x) { return c + noise(z, y, x, 1); })});
  write_composite(folder / "c.h5", {Transform(field), Transform(sample)}, 3);
  const TransformFile file = read_transform(folder / "c.h5");
  ASSERT_EQ(file.transforms.size(), 2U);
  const auto& back = *std::get<1>(file.transforms[0]);
  EXPECT_EQ(back.grid, grid);
  EXPECT_TRUE(std::equal(back.data.begin(), back.data.end(), field->data.begin()));
  EXPECT_LT(distance(std::get<Affine>(file.transforms[1]), sample), 1e-12);
  EXPECT_THROW(write_composite(folder.path() + "/no/such/folder.h5", {Transform(sample)}, 3),
               IoError);
  EXPECT_EQ(folder.count(), 1U);
}

/// HDF5 marks datasets with the second in which they are made unless told otherwise.
TEST(TransformFile, CompositesOfTwoMomentsHaveTheSameBytes) {
  const test::TemporaryFolder folder;
  const auto written = [&](const std::string& name) {
    write_composite(folder / name, {Transform(sample)}, 3);
    std::ifstream file(folder / name, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const std::string first = written("a.h5");
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  EXPECT_TRUE(written("b.h5") == first);
}

/// Reads an ITK text file with this transform.
Affine from_text(const std::string& type, const std::string& parameters, const std::string& fixed) {
  const test::TemporaryFolder folder;
  put(folder / "t.tfm", "#Insight Transform File V1.0\n#Transform 0\nTransform: " + type +
                            "\nParameters: " + parameters + "\nFixedParameters: " + fixed + "\n");
  return only_affine(read_transform(folder / "t.tfm"));
}

// Points mapped by SimpleITK 2.5.7 (ITK 5.4) with the same parameters, p = (10, 20, 30).
TEST(TransformFile, ItkClassesMapPointsAsItkDoes) {
  const auto expect = [](const Affine& got, const Vec3& want, const char* name) {
    const Vec3 p = got({10, 20, 30});
    for (int i = 0; i < 3; ++i) EXPECT_NEAR(p[i], want[i], 1e-6) << name << " " << i;
  };
  expect(
      from_text("AffineTransform_double_3_3", "1.1 .2 -.1 -.05 .9 .3 .15 -.25 1.05 4 5 6", "1 2 3"),
      {15.80000000, 30.85000000, 34.20000000}, "AffineTransform_double_3_3");
  expect(from_text("MatrixOffsetTransformBase_double_3_3",
                   "1.1 .2 -.1 -.05 .9 .3 .15 -.25 1.05 4 5 6", "1 2 3"),
         {15.80000000, 30.85000000, 34.20000000}, "MatrixOffsetTransformBase_double_3_3");
  expect(from_text("Euler3DTransform_double_3_3", ".1 -.2 .3 4 5 6", "1 2 3 0"),
         {3.84280618, 22.43730903, 38.90569164}, "Euler3DTransform_double_3_3");
  expect(from_text("Euler3DTransform_double_3_3", ".1 -.2 .3 4 5 6", "1 2 3 1"),
         {3.49047027, 22.45892610, 38.87880392}, "Euler3DTransform_double_3_3");
  expect(from_text("VersorRigid3DTransform_double_3_3", ".1 -.2 .3 4 5 6", "1 2 3"),
         {-7.47101595, 17.80000000, 38.35700532}, "VersorRigid3DTransform_double_3_3");
  expect(from_text("Similarity3DTransform_double_3_3", ".1 -.2 .3 4 5 6 1.2", "1 2 3"),
         {-9.96521914, 19.96000000, 44.22840638}, "Similarity3DTransform_double_3_3");
  expect(from_text("TranslationTransform_double_3_3", "4 5 6", ""),
         {14.00000000, 25.00000000, 36.00000000}, "TranslationTransform_double_3_3");
  expect(from_text("VersorTransform_double_3_3", ".1 -.2 .3", "1 2 3"),
         {-11.47101595, 12.80000000, 32.35700532}, "VersorTransform_double_3_3");
  expect(from_text("ScaleTransform_double_3_3", "1.1 1.2 .9", "1 2 3"),
         {10.90000000, 23.60000000, 27.30000000}, "ScaleTransform_double_3_3");
  expect(from_text("AffineTransform_double_2_2", "1.1 .2 -.05 .9 4 5", "1 2"),
         {18.50000000, 22.75000000, 30.00000000}, "AffineTransform_double_2_2");
  expect(from_text("Euler2DTransform_double_2_2", ".3 4 5", "1 2"),
         {8.27866468, 26.85573866, 30.00000000}, "Euler2DTransform_double_2_2");
  expect(from_text("Similarity2DTransform_double_2_2", "1.2 .3 4 5", "1 2"),
         {8.93439762, 30.82688640, 30.00000000}, "Similarity2DTransform_double_2_2");
  const std::string scaled = ".1 .2 .05 1 2 3 1.1 .9 1.2";
  expect(from_text("ScaleVersor3DTransform_double_3_3", scaled, "3 -4 5"),
         {19.71281049, 15.59439670, 37.99679223}, "ScaleVersor3DTransform_double_3_3");
  expect(from_text("ScaleSkewVersor3DTransform_double_3_3", scaled + " .03 -.04 .05 .02 -.01 .06",
                   "3 -4 5"),
         {19.43281049, 16.44439670, 39.36679223}, "ScaleSkewVersor3DTransform_double_3_3");
  expect(
      from_text("ComposeScaleSkewVersor3DTransform_double_3_3", scaled + " .03 -.04 .05", "3 -4 5"),
      {21.44139073, 15.93171271, 37.07436771}, "ComposeScaleSkewVersor3DTransform_double_3_3");
}

TEST(TransformFile, FlatOnesStayFlatInEveryFormat) {
  const test::TemporaryFolder folder;
  const Affine flat{{{{0.9, -0.2, 0}, {0.3, 1.1, 0}, {0, 0, 1}}}, {3, -4, 0}};
  for (const char* name : {"a.mat", "a.txt", "a.tfm", "a.h5"}) {
    write_affine(folder / name, flat, {5, -60, 0}, 2);
    const TransformFile file = read_transform(folder / name);
    EXPECT_EQ(file.dimension, 2) << name;
    EXPECT_EQ(file.names.at(0), "AffineTransform_double_2_2") << name;
    EXPECT_LT(distance(only_affine(file), flat), 1e-12) << name;
    write_affine(folder / name, flat, {5, -60, 0}, 3);
    EXPECT_EQ(read_transform(folder / name).dimension, 3) << name;
    EXPECT_THROW(write_affine(folder / name, sample, {}, 2), Error) << name;
  }
  Grid grid;
  grid.size = {1, 4, 5};
  grid.spacing = {1, 2, 1};
  grid.origin = {-4, 5, 0};
  const auto field = std::make_shared<const DisplacementImage>(
      DisplacementImage{grid, test::make_vector_field(grid.domain(), [](int c, int, int y, int x) {
                          return c < 2 ? c + noise(0, y, x, 1) : 0;
                        })});
  write_composite(folder / "c.h5", {Transform(field), Transform(flat)}, 2);
  const TransformFile file = read_transform(folder / "c.h5");
  EXPECT_EQ(file.dimension, 2);
  EXPECT_EQ(file.names, (std::vector<std::string>{"DisplacementFieldTransform_double_2_2",
                                                  "AffineTransform_double_2_2"}));
  const auto& back = *std::get<1>(file.transforms[0]);
  EXPECT_EQ(back.grid, grid);
  EXPECT_TRUE(std::equal(back.data.begin(), back.data.end(), field->data.begin()));
  write_displacement(folder / "w.nii.gz", *field, {});
  EXPECT_EQ(read_transform(folder / "w.nii.gz").dimension, 2);
}

/// A MATLAB v4 matrix.
std::string matlab(const std::string& name, int rows, int columns,
                   const std::vector<double>& values) {
  const std::int32_t head[5] = {0, rows, columns, 0, static_cast<std::int32_t>(name.size() + 1)};
  std::string text(reinterpret_cast<const char*>(head), sizeof(head));
  text += name + '\0';
  return text.append(reinterpret_cast<const char*>(values.data()), values.size() * 8);
}

TEST(TransformFile, MatricesOfAnotherShapeOrWithoutTheirCentreAreRefused) {
  const test::TemporaryFolder folder;
  const std::string type = "AffineTransform_double_3_3";
  const std::vector<double> p{1.1, .2, 0, .05, .9, .02, 0, -.1, 1.05, 4, 5, 6};
  const std::string centre = matlab("fixed", 3, 1, {3, -4, 5});
  for (const std::string& good : {matlab(type, 12, 1, p) + centre, matlab(type, 1, 12, p) + centre,
                                  centre + matlab(type, 12, 1, p)}) {
    put(folder / "a.mat", good);
    const Vec3 image = only_affine(read_transform(folder / "a.mat"))({10, 20, 30});
    EXPECT_LT(std::hypot(image[0] - 19.5, image[1] - 23.45, image[2] - 34.85), 1e-12);
  }
  const auto message = [&](const std::string& content) {
    put(folder / "a.mat", content);
    return message_of([&] { read_transform(folder / "a.mat"); });
  };
  EXPECT_NE(message(matlab(type, 3, 4, p) + centre).find("3 x 4"), std::string::npos);
  EXPECT_NE(message(matlab(type, 4, 3, p) + centre).find("4 x 3"), std::string::npos);
  EXPECT_NE(message(matlab(type, 12, 1, p)).find("lacks 'fixed'"), std::string::npos);
  EXPECT_NE(message(matlab(type, 12, 1, p) + matlab("fixed", 0, 0, {})).find("0 fixed parameters"),
            std::string::npos);
}

TEST(TransformFile, LinearXfmIsReadAsItkReadsIt) {
  const test::TemporaryFolder folder;
  const std::string head = "MNI Transform File\n% a comment\n\nTransform_Type = Linear;\n";
  const std::string rows = "Linear_Transform =\n 1.1 .2 0 4\n .05 .9 .02 5\n 0 -.1 1.05 6;\n";
  put(folder / "a.xfm", head + rows);
  const Affine got = only_affine(read_transform(folder / "a.xfm"));
  const Vec3 p = got({10, 20, 30});
  EXPECT_LT(std::hypot(p[0] - 19, p[1] - 24.1, p[2] - 35.5), 1e-12);
  put(folder / "b.xfm", head + "Invert_Flag = True;\n" + rows);
  EXPECT_LT(distance(only_affine(read_transform(folder / "b.xfm")), inverse(got)), 1e-9);
  for (const std::string& bad :
       {std::string("MNI Transform File\nTransform_Type = Grid_Transform;\n"),
        head + rows + head + rows, head + "Linear_Transform = 1 2 3;\n",
        head + "Linear_Transform = 1 2"}) {
    put(folder / "c.xfm", bad);
    EXPECT_NE(message_of([&] { read_transform(folder / "c.xfm"); }).find("c.xfm: "),
              std::string::npos)
        << bad;
  }
}

TEST(TransformFile, AWarpIsOneUnderAnyName) {
  const test::TemporaryFolder folder;
  Grid grid;
  grid.size = {3, 4, 5};
  const DisplacementImage field{
      grid, test::make_vector_field(grid.domain(), [](int c, int, int, int x) { return c + x; })};
  write_displacement(folder / "w.nii.gz", field, {});
  for (const char* name : {"W.NII.GZ", "warp-a3f0", "warp.mat"}) {
    std::filesystem::copy_file(folder / "w.nii.gz", folder / name);
    EXPECT_EQ(std::get<1>(read_transform(folder / name).transforms.at(0))->grid, grid) << name;
  }
}

TEST(TransformFile, GreedyMatricesAreRas) {
  const test::TemporaryFolder folder;
  put(folder / "g.mat", "1 0 0 5\n0 1 0 6\n0 0 1 7\n0 0 0 1\n");
  const Affine a = only_affine(read_transform(folder / "g.mat"));
  EXPECT_EQ(a.translation, (Vec3{-5, -6, 7}));
  EXPECT_EQ(flip_ras_lps(flip_ras_lps(sample)), sample);
}

TEST(TransformFile, SeveralTransformsInATextFileAreAComposite) {
  const test::TemporaryFolder folder;
  const std::string shift =
      "Transform: TranslationTransform_double_3_3\nParameters: 1 0 0\n"
      "FixedParameters:\n";
  const std::string twice =
      "Transform: ScaleTransform_double_3_3\nParameters: 2 2 2\n"
      "FixedParameters: 0 0 0\n";
  put(folder / "t.tfm",
      "#Insight Transform File V1.0\n#Transform 0\n" + shift + "#Transform 1\n" + twice);
  const TransformFile file = read_transform(folder / "t.tfm");
  ASSERT_EQ(file.transforms.size(), 2U);
  // The last one of the file meets a point first.
  EXPECT_EQ(std::get<Affine>(file.transforms[0])({1, 1, 1}), (Vec3{2, 2, 2}));
}

TEST(TransformFile, WhatIsNotATransformIsRefusedByName) {
  const test::TemporaryFolder folder;
  const auto refuse = [&](const char* name, const std::string& content, const char* reason) {
    put(folder / name, content);
    const std::string message = message_of([&] { read_transform(folder / name); });
    EXPECT_NE(message.find(name), std::string::npos) << message;
    EXPECT_NE(message.find(reason), std::string::npos) << message;
  };
  write_affine(folder / "good.mat", sample, {}, 3);
  std::ifstream stream(folder / "good.mat", std::ios::binary);
  const std::string good{std::istreambuf_iterator<char>(stream), {}};
  refuse("empty.mat", "", "is empty");
  refuse("words.mat", "hello there", "starts with 'hello there'");
  refuse("short.mat", good.substr(0, 100), "truncated");
  refuse("matrix.mat", "1 0 0 0 0 1 0 0 0 0 1 0 1 0 0 1", "last row");
  refuse("a.fsl", "1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1", "FSL");
  refuse("nan.mat", "1 0 0 nan 0 1 0 0 0 0 1 0 0 0 0 1", "NaN");
  const std::string head = "#Insight Transform File V1.0\n#Transform 0\nTransform: ";
  refuse("count.tfm",
         head + "AffineTransform_double_3_3\nParameters: 1 2\nFixedParameters: 0 0 0\n",
         "2 parameters, 12 are wanted");
  refuse("class.tfm", head + "BSplineTransform_double_3_3\nParameters: 1\nFixedParameters: 0\n",
         "BSplineTransform_double_3_3 is not supported");
  refuse("number.tfm", head + "AffineTransform_double_3_3\nParameters: 1 x\nFixedParameters: 0\n",
         "got 'x'");
  refuse("cut.tfm", head + "AffineTransform_double_3_3\n", "truncated");
  refuse("a.h5", "\x89HDF\r\n\x1a\nrubbish", "HDF5");
  EXPECT_NE(message_of([&] { read_transform(folder / "none.mat"); }).find("No such file"),
            std::string::npos);
  Image<float> image{Grid{}, Field<float>(Backend::cpu, box_of({1, 1, 1}))};
  image.data.data()[0] = 0;
  write_image(folder / "image.nii.gz", image, {});
  EXPECT_NE(message_of([&] { read_transform(folder / "image.nii.gz"); }).find("dim = [5, nx"),
            std::string::npos);
}

TEST(TransformData, EveryAffineFormatOfH6IsReadOrRefusedByName) {
  const std::string h6 = "h6_affine_file_formats/";
  if (!test::has_data(h6)) GTEST_SKIP() << "no " << test::data_path(h6);
  int read = 0, refused = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(test::data_path(h6))) {
    const std::string path = entry.path().string();
    if (!entry.is_regular_file() || path.ends_with(".md")) continue;
    try {
      EXPECT_FALSE(read_transform(path).transforms.empty());
      ++read;
    } catch (const IoError& error) {
      ++refused;
      const bool known = path.find(".afni") != std::string::npos ||
                         path.find(".fsl") != std::string::npos ||
                         path.ends_with("affine-LAS.itk.tfm");  // a link stored as text
      EXPECT_TRUE(known) << error.what();
      EXPECT_NE(std::string(error.what()).find(path), std::string::npos);
    }
  }
  EXPECT_GE(read, 20);
  EXPECT_EQ(refused, 13);
  const auto affine = [&](const char* name) {
    return only_affine(read_transform(test::data_path(h6 + name)));
  };
  EXPECT_LT(
      distance(affine("nitransforms/bold-to-t1w.lta"), affine("nitransforms/bold-to-t1w.v2v.lta")),
      1e-3);
  EXPECT_LT(
      distance(
          affine("itkantswasm/Initializer_0.05_antsRegistrationTest_AffineScaleMasks.mat"),
          affine("itkantswasm/Initializer_0.05_antsRegistrationTest_AffineScaleMasks_Float.mat")),
      1e-4);
}

TEST(TransformData, TheAffinesOfTheCompositeOfH4AreItsMat) {
  const std::string h4 = "h4_ants_composite_h5/B1_fixed_B2_moving";
  if (!test::has_data(h4 + "Composite.h5")) GTEST_SKIP() << "no " << test::data_path(h4);
  const TransformFile composite = read_transform(test::data_path(h4 + "Composite.h5"));
  ASSERT_EQ(composite.transforms.size(), 3U);
  EXPECT_EQ(std::get<1>(composite.transforms[0])->grid.size, (Int3{1, 254, 197}));
  const Affine both =
      std::get<Affine>(composite.transforms[2]) * std::get<Affine>(composite.transforms[1]);
  const Affine mat = only_affine(read_transform(test::data_path(h4 + "0GenericAffine.mat")));
  EXPECT_LT(distance(both, mat), 1e-6);
}

}  // namespace
}  // namespace ffdp::io
