// SPDX-License-Identifier: Apache-2.0
// The program itself: `ffdp phantom`, `evaluate` and `jacobian` on files.
#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>

#include "tests/support/compare.hpp"
#include "tests/support/data.hpp"
#include "tests/support/program.hpp"
#include <nlohmann/json.hpp>

#include <gtest/gtest.h>

#include "ffdp/io/nifti.hpp"

namespace ffdp {
namespace {

using test::run_program;

/// A small phantom pair in a folder of its own.
class PhantomPair : public testing::Test {
 protected:
  void SetUp() override {
    const auto made = run_program("phantom -q --pair --size 40x48x44 --spacing 4 --warp-mm 6 -o " +
                                  folder_.path() + "/b");
    ASSERT_EQ(made.code, 0) << made.text;
    ASSERT_EQ(folder_.count(), 5U);
  }
  std::string file(const std::string& name) const { return folder_ / ("b_" + name + ".nii.gz"); }
  /// Evaluates with these arguments and returns the JSON report.
  nlohmann::json evaluate(const std::string& arguments) const {
    const std::string json = folder_ / "report.json";
    const auto outcome = run_program("evaluate --summary --json " + json + " " + arguments);
    EXPECT_EQ(outcome.code, 0) << outcome.text;
    return nlohmann::json::parse(std::ifstream(json));
  }
  void fails(const std::string& arguments, const std::string& part) const {
    const auto outcome = run_program(arguments);
    EXPECT_EQ(outcome.code, 1) << outcome.text;
    EXPECT_NE(outcome.text.find(part), std::string::npos) << outcome.text;
  }
  test::TemporaryFolder folder_;
};

TEST_F(PhantomPair, TheTrueWarpAlignsImagesAndLabels) {
  const std::string fixed = " --fixed " + file("fixed") + " --fixed-labels " + file("fixed_labels");
  const auto before =
      evaluate(fixed + " --warped " + file("moving") + " --warped-labels " + file("moving_labels"));
  for (const char* what : {"moving", "moving_labels"}) {
    const auto applied =
        run_program("apply -q --input " + file(what) + " --reference " + file("fixed") + " -t " +
                    file("true_warp") + " --interpolation " +
                    (what == std::string("moving") ? "linear" : "label") + " --output " +
                    (folder_ / (std::string("w_") + what + ".nii.gz")));
    ASSERT_EQ(applied.code, 0) << applied.text;
  }
  const auto after =
      evaluate(fixed + " --warped " + (folder_ / "w_moving.nii.gz") + " --warped-labels " +
               (folder_ / "w_moving_labels.nii.gz") + " --warp " + file("true_warp"));
  EXPECT_GT(after["images"]["ncc"], 0.9);
  EXPECT_GT(after["images"]["ncc"], before["images"]["ncc"]);
  EXPECT_GT(after["labels"]["mean_dice"], 0.75);
  EXPECT_GT(after["labels"]["mean_dice"], before["labels"]["mean_dice"].get<double>() + 0.1);
  EXPECT_LT(after["labels"]["mean_hd95_mm"], before["labels"]["mean_hd95_mm"]);
  EXPECT_EQ(after["warp"]["folds_everywhere"], 0);
  EXPECT_GT(after["warp"]["sd_log_j_inside"], 0.05);
}

TEST_F(PhantomPair, AnImageAgainstItselfIsPerfect) {
  const auto report =
      evaluate("--fixed " + file("fixed") + " --warped " + file("fixed") + " --fixed-labels " +
               file("fixed_labels") + " --warped-labels " + file("fixed_labels"));
  EXPECT_GT(report["images"]["ncc"], 0.999999);
  EXPECT_EQ(report["labels"]["mean_dice"], 1);
  EXPECT_EQ(report["labels"]["mean_hd95_mm"], 0);
  EXPECT_GT(report["labels"]["common_labels"], 20);
}

TEST_F(PhantomPair, PointsGoThroughTheTransforms) {
  std::ofstream(folder_ / "f.csv") << "x,y,z\n0,0,0\n10,20,-5\n";
  std::ofstream(folder_ / "m.csv") << "x,y,z\n3,0,0\n13,20,-1\n";
  std::ofstream(folder_ / "t.txt")
      << "#Insight Transform File V1.0\n#Transform 0\n"
         "Transform: AffineTransform_double_3_3\n"
         "Parameters: 1 0 0 0 1 0 0 0 1 3 0 0\nFixedParameters: 0 0 0\n";
  const auto report = evaluate("--fixed-points " + (folder_ / "f.csv") + " --moving-points " +
                               (folder_ / "m.csv") + " -t " + (folder_ / "t.txt"));
  EXPECT_EQ(report["points"]["before"]["max_mm"], 5);
  EXPECT_EQ(report["points"]["after"]["mean_mm"], 2);
  EXPECT_EQ(report["points"]["after"]["points"], 2);
}

TEST_F(PhantomPair, ATransformIsComparedWithTheTrueWarp) {
  const std::string truth = "--true-warp " + file("true_warp");
  const auto perfect = evaluate(truth + " -t " + file("true_warp"))["true_warp"];
  EXPECT_LT(perfect["max_mm"], 1e-4);
  const auto none = evaluate(truth + " --mask " + file("fixed_labels"))["true_warp"];
  EXPECT_GT(none["mean_mm"], 1);
  EXPECT_LT(none["points"], perfect["points"]);
}

TEST_F(PhantomPair, JacobianAndItsLogarithm) {
  ASSERT_EQ(run_program("jacobian " + file("true_warp") + " -o " + (folder_ / "j.nii.gz")).code, 0);
  ASSERT_EQ(
      run_program("jacobian --log " + file("true_warp") + " -o " + (folder_ / "l.nii.gz")).code, 0);
  const auto j = io::read_image<float>(folder_ / "j.nii.gz");
  auto l = io::read_image<float>(folder_ / "l.nii.gz");
  for (float& value : l.data) value = std::exp(value);
  const auto difference = test::compare(l.data, j.data);
  EXPECT_LT(difference.relative_max, 1e-6) << difference;
}

TEST_F(PhantomPair, WhatDoesNotFitIsRefused) {
  ASSERT_EQ(run_program("phantom -q --size 20 -o " + (folder_ / "s")).code, 0);
  fails("evaluate --fixed " + file("fixed"), "--fixed is given without --warped");
  fails("evaluate", "nothing to evaluate");
  fails("evaluate --fixed " + file("fixed") + " --warped " + (folder_ / "s.nii.gz"),
        "another grid");
  fails("evaluate --warp " + file("fixed"), "b_fixed.nii.gz");
  fails("phantom --size 20x-1x3 -o " + (folder_ / "t"), "--size 20x-1x3");
  fails("phantom --pair --warp-mm 90 -o " + (folder_ / "t"), "at most");
  fails("phantom --size 10 -o " + (folder_ / "no/such/t"), "no/such");
}

TEST(JacobianOfAFile, MatchesTheExpectedOne) {
  const std::string h7 = test::data_path("h7_synth_itk_affine_warp3d/");
  if (!test::has_data("h7_synth_itk_affine_warp3d")) GTEST_SKIP() << "no " << h7;
  const test::TemporaryFolder folder;
  const auto made = run_program("jacobian " + h7 + "x1Warp.nii.gz -o " + (folder / "j.nii"));
  ASSERT_EQ(made.code, 0) << made.text;
  const auto got = io::read_image<float>(folder / "j.nii");
  const auto want = io::read_image<float>(h7 + "jacobian_det_warp_central.nii.gz");
  const auto difference = test::compare(got.data, want.data);
  EXPECT_LT(difference.relative_max, 1e-5) << difference;
}

TEST_F(PhantomPair, PointsWithoutANumberAreLeftOut) {
  const std::string fixed = folder_ / "f.csv", moving = folder_ / "m.csv";
  std::ofstream(fixed) << "x,y,z\n1,nan,3\n4,5,6\n";
  std::ofstream(moving) << "x,y,z\n1,2,3\n4,5,9\n";
  const auto points = evaluate("--fixed-points " + fixed + " --moving-points " + moving)["points"];
  EXPECT_EQ(points["before"]["points"], 1);
  EXPECT_EQ(points["before"]["left_out"], 1);
  EXPECT_EQ(points["before"]["mean_mm"], 3);
  std::ofstream(fixed) << "x,y,z\nnan,1,1\n";
  std::ofstream(moving) << "x,y,z\n1,1,1\n";
  EXPECT_TRUE(evaluate("--fixed-points " + fixed + " --moving-points " +
                       moving)["points"]["after"]["mean_mm"]
                  .is_null());
}

TEST_F(PhantomPair, PointsAreMatchedByTheirLabels) {
  const std::string fixed = folder_ / "f.csv", moving = folder_ / "m.csv";
  std::ofstream(fixed) << "x,y,z,label\n0,0,0,a\n10,0,0,b\n20,0,0,c\n";
  std::ofstream(moving) << "label,x,y,z\nc,20,0,1\nd,0,0,0\na,0,0,3\n";
  const auto points = evaluate("--fixed-points " + fixed + " --moving-points " + moving)["points"];
  EXPECT_EQ(points["before"]["points"], 2);
  EXPECT_EQ(points["before"]["mean_mm"], 2);
  // Labels that are not one point's own say nothing: the order does.
  std::ofstream(moving) << "x,y,z,label\n0,0,1,0\n10,0,1,0\n20,0,1,0\n";
  EXPECT_EQ(evaluate("--fixed-points " + fixed + " --moving-points " +
                     moving)["points"]["before"]["max_mm"],
            1);
}

TEST_F(PhantomPair, PlacesOfAWarpWithoutDisplacementAreLeftOut) {
  auto warp = io::read_displacement(file("true_warp"));
  const auto whole = evaluate("--warp " + file("true_warp"))["warp"];
  for (const float mark : {NAN, -32768.0F, 1e20F}) {
    const std::int64_t voxels = warp.grid.domain().volume();
    for (int c = 0; c < 3; ++c)
      for (std::int64_t i = 0; i < 6 * 40 * 48; ++i) warp.data.data()[c * voxels + i] = mark;
    io::write_displacement(folder_ / "holes.nii.gz", warp, {});
    const auto report = evaluate("--warp " + (folder_ / "holes.nii.gz"))["warp"];
    EXPECT_EQ(report["folds_everywhere"], 0) << mark;
    EXPECT_EQ(report["missing_everywhere"], 7 * 40 * 48) << mark;
    EXPECT_LT(report["max_j_everywhere"], 1.01 * double(whole["max_j_everywhere"])) << mark;
    EXPECT_LT(report["sd_log_j_everywhere"], 1.5 * double(whole["sd_log_j_everywhere"])) << mark;
    const auto outcome =
        run_program("jacobian " + (folder_ / "holes.nii.gz") + " -o " + (folder_ / "j.nii.gz"));
    EXPECT_NE(outcome.text.find("0 of"), std::string::npos) << outcome.text;
    EXPECT_NE(outcome.text.find("13440 left out"), std::string::npos) << outcome.text;
  }
  for (float& value : warp.data)
    if (value == 1e20F) value = NAN;
  io::write_displacement(folder_ / "holes.nii.gz", warp, {});
  const auto inverse =
      run_program("invert -t " + (folder_ / "holes.nii.gz") + " -o " + (folder_ / "i.nii.gz"));
  EXPECT_NE(inverse.text.find("holds no displacement for some"), std::string::npos) << inverse.text;
}

TEST_F(PhantomPair, NanInAMaskIsOutside) {
  auto mask = io::read_image<float>(file("fixed_labels"));
  for (float& v : mask.data) v = v != 0 ? 1.0F : 0.0F;
  io::write_image(folder_ / "zero.nii.gz", mask, {});
  for (float& v : mask.data)
    if (v == 0) v = NAN;
  io::write_image(folder_ / "nan.nii.gz", mask, {});
  const std::string images = "--fixed " + file("fixed") + " --warped " + file("moving");
  EXPECT_EQ(evaluate(images + " --mask " + (folder_ / "nan.nii.gz")),
            evaluate(images + " --mask " + (folder_ / "zero.nii.gz")));
  const auto affine = [&](const char* name) {
    const auto outcome = run_program(
        "register -q --preset rigid -o " + (folder_ / "r_") + " --fixed-mask " +
        (folder_ / (std::string(name) + ".nii.gz")) + " " + file("fixed") + " " + file("moving"));
    EXPECT_EQ(outcome.code, 0) << outcome.text;
    std::ifstream stream(folder_ / "r_0GenericAffine.mat", std::ios::binary);
    return std::string{std::istreambuf_iterator<char>(stream), {}};
  };
  EXPECT_EQ(affine("nan"), affine("zero"));
}

TEST_F(PhantomPair, LabelsOfAnyTypeAreCompared) {
  const auto small = io::read_image<std::uint8_t>(file("fixed_labels"));
  const auto plain = evaluate("--fixed-labels " + file("fixed_labels") + " --warped-labels " +
                              file("moving_labels"))["labels"];
  const auto moving = io::read_image<std::uint8_t>(file("moving_labels"));
  const auto write = [&](const char* name, const Image<std::uint8_t>& from, auto map) {
    using T = decltype(map(std::uint8_t{}));
    Image<T> image{from.grid, Field<T>(Backend::cpu, from.grid.domain())};
    std::transform(from.data.begin(), from.data.end(), image.data.begin(), map);
    io::WriteOptions options;
    options.type = io::data_type_of<T>();
    io::write_image(folder_ / name, image, options);
  };
  const auto check = [&](auto map) {
    write("f.nii.gz", small, map);
    write("m.nii.gz", moving, map);
    const auto got = evaluate("--fixed-labels " + (folder_ / "f.nii.gz") + " --warped-labels " +
                              (folder_ / "m.nii.gz"))["labels"];
    EXPECT_EQ(got["mean_dice"], plain["mean_dice"]);
    EXPECT_EQ(got["common_labels"], plain["common_labels"]);
    return got["labels"].back()["label"].template get<std::int64_t>();
  };
  const auto last = plain["labels"].back()["label"].get<std::int64_t>();
  EXPECT_EQ(check([](std::uint8_t l) { return l ? 4000000000U + l : 0U; }), 4000000000 + last);
  EXPECT_EQ(check([](std::uint8_t l) { return l ? (std::int64_t{1} << 60) + l : 0; }),
            (std::int64_t{1} << 60) + last);
  EXPECT_EQ(check([](std::uint8_t l) { return l ? static_cast<float>(l) : NAN; }), last);
  write("f.nii.gz", small, [](std::uint8_t l) { return 0.5F * l; });
  fails("evaluate --fixed-labels " + (folder_ / "f.nii.gz") + " --warped-labels " +
            (folder_ / "m.nii.gz"),
        "whole numbers are wanted as labels");
}

TEST_F(PhantomPair, CompositesAreJudgedAsTheirWarp) {
  const auto made = run_program("compose -t " + file("true_warp") + " -o " + (folder_ / "c.h5"));
  ASSERT_EQ(made.code, 0) << made.text;
  EXPECT_EQ(evaluate("--warp " + (folder_ / "c.h5")), evaluate("--warp " + file("true_warp")));
  const auto of_file =
      run_program("jacobian " + file("true_warp") + " -o " + (folder_ / "a.nii.gz"));
  const auto of_composite =
      run_program("jacobian " + (folder_ / "c.h5") + " -o " + (folder_ / "a.nii.gz"));
  EXPECT_EQ(of_composite.text, of_file.text);
  std::ofstream(folder_ / "i.txt") << "#Insight Transform File V1.0\nTransform: "
                                      "TranslationTransform_double_3_3\nParameters: 1 2 3\n"
                                      "FixedParameters:\n";
  fails("jacobian " + (folder_ / "i.txt") + " -o " + (folder_ / "a.nii.gz"),
        "no displacement field");
}

}  // namespace
}  // namespace ffdp
