// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include "tests/support/device.hpp"
#include "tests/support/program.hpp"
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <gtest/gtest.h>

#include "ffdp/io/nifti.hpp"
#include "ffdp/io/transform_file.hpp"

namespace ffdp::cli {
namespace {

namespace fs = std::filesystem;
using test::run_program;

class RegisterProgram : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder = fs::temp_directory_path() / ("ffdp_register_test_" + std::to_string(getpid()));
    fs::create_directories(folder);
    const auto made = run_program(
        "phantom -q --pair --size 40x48x40 --spacing 4 --rotate 5 -4 8 "
        "--translate 6 -4 5 -o " +
        path("b"));
    ASSERT_EQ(made.code, 0) << made.text;
    const auto outcome =
        run_program("register " + path("b_fixed.nii.gz") + " " + path("b_moving.nii.gz") +
                    " --moving-labels " + path("b_moving_labels.nii.gz") + " -o " + path("sub/r_"));
    ASSERT_EQ(outcome.code, 0) << outcome.text;
  }
  static void TearDownTestSuite() { fs::remove_all(folder); }
  static std::string path(const std::string& name) { return (folder / name).string(); }

  /// Largest difference between two images over the range of the first.
  static double difference(const std::string& a, const std::string& b) {
    const auto x = io::read_image<float>(a), y = io::read_image<float>(b);
    EXPECT_EQ(x.grid.size, y.grid.size);
    float lo = INFINITY, hi = -INFINITY, most = 0;
    for (std::int64_t i = 0; i < x.data.size(); ++i) {
      lo = std::min(lo, x.data.data()[i]);
      hi = std::max(hi, x.data.data()[i]);
      most = std::max(most, std::abs(x.data.data()[i] - y.data.data()[i]));
    }
    return most / (hi - lo);
  }
  static fs::path folder;
};
fs::path RegisterProgram::folder;

TEST_F(RegisterProgram, WritesEveryFileOfDesign6) {
  for (const char* name : {"0GenericAffine.mat", "1Warp.nii.gz", "1InverseWarp.nii.gz",
                           "Warped.nii.gz", "InverseWarped.nii.gz", "WarpedLabels.nii.gz", ".json"})
    EXPECT_TRUE(fs::exists(path(std::string("sub/r_") + name))) << name;
  EXPECT_EQ(std::distance(fs::directory_iterator(path("sub")), fs::directory_iterator{}), 7);
}

TEST_F(RegisterProgram, WritesOnlyWhatIsWanted) {
  const auto outcome = run_program("register --preset rigid --write warped -o " + path("only/r_") +
                                   " " + path("b_fixed.nii.gz") + " " + path("b_moving.nii.gz"));
  ASSERT_EQ(outcome.code, 0) << outcome.text;
  EXPECT_NE(outcome.text.find("r_{0GenericAffine.mat,Warped.nii.gz,.json}"), std::string::npos)
      << outcome.text;
  for (const char* name : {"0GenericAffine.mat", "Warped.nii.gz", ".json"})
    EXPECT_TRUE(fs::exists(path(std::string("only/r_") + name))) << name;
  EXPECT_EQ(std::distance(fs::directory_iterator(path("only")), fs::directory_iterator{}), 3);
}

TEST_F(RegisterProgram, ItsTransformsReproduceItsWarpedImages) {
  const std::string p = path("sub/r_");
  auto outcome = run_program("apply -q -i " + path("b_moving.nii.gz") + " -r " +
                             path("b_fixed.nii.gz") + " -t " + p + "1Warp.nii.gz -t " + p +
                             "0GenericAffine.mat -o " + path("again.nii.gz"));
  ASSERT_EQ(outcome.code, 0) << outcome.text;
  EXPECT_LT(difference(p + "Warped.nii.gz", path("again.nii.gz")), 1e-3);
  outcome = run_program("apply -q -i " + path("b_fixed.nii.gz") + " -r " + path("b_moving.nii.gz") +
                        " -t [" + p + "0GenericAffine.mat,1] -t " + p + "1InverseWarp.nii.gz -o " +
                        path("inverse.nii.gz"));
  ASSERT_EQ(outcome.code, 0) << outcome.text;
  EXPECT_LT(difference(p + "InverseWarped.nii.gz", path("inverse.nii.gz")), 1e-3);
}

TEST_F(RegisterProgram, ARecipeReproducesTheConfiguration) {
  const auto first = run_program("register --preset accurate --sigma-warp 0.9 --print-config");
  ASSERT_EQ(first.code, 0) << first.text;
  std::ofstream(path("recipe.json")) << first.text;
  const auto second = run_program("register -c " + path("recipe.json") + " --print-config");
  EXPECT_EQ(first.text, second.text);
  const auto changed = run_program("register -c " + path("recipe.json") +
                                   " --set deformable/0/metrics/0/radius=5 --print-config");
  EXPECT_NE(changed.text.find("\"radius\": 5"), std::string::npos);
}

TEST_F(RegisterProgram, GaussiansThatAreGivenHoldForGentleWarps) {
  const auto gentle = [&](const std::string& options) {
    const auto shown = run_program("register " + options + " --print-config");
    EXPECT_EQ(shown.code, 0) << shown.text;
    std::ofstream(path("shown.json")) << shown.text;
    EXPECT_EQ(run_program("register -c " + path("shown.json") + " --print-config").text,
              shown.text);
    const auto stage = nlohmann::json::parse(shown.text).at("deformable").at(0);
    return std::pair<double, double>(stage.at("gentle").at("sigma_update"),
                                     stage.at("gentle").at("sigma_warp"));
  };
  const std::pair<double, double> of_presets{2.6, 1.3}, none{0, 0};
  for (const char* preset : {"fast", "default", "accurate"})
    EXPECT_EQ(gentle(std::string("--preset ") + preset), of_presets);
  EXPECT_EQ(gentle("--step 0.3"), of_presets);
  for (const char* options : {"--sigma-update 0.7", "--sigma-warp 0.7", "--metric mi"})
    EXPECT_EQ(gentle(options), none) << options;
}

TEST_F(RegisterProgram, DampingThatIsGivenHoldsForGentleWarps) {
  const auto stage = [&](const std::string& options) {
    return nlohmann::json::parse(run_program("register " + options + " --print-config").text)
        .at("deformable")
        .at(0);
  };
  EXPECT_EQ(stage("").at("gentle").at("damping"), 0);
  EXPECT_EQ(stage("--damping 0.1").at("damping"), 0.1);
  EXPECT_EQ(stage("--damping 0.1").at("gentle").at("damping"), 0.4);
  EXPECT_EQ(stage("--metric mi").at("step"), 0.5);
  EXPECT_EQ(stage("--metric mi").at("epsilon"), 1);
}

TEST_F(RegisterProgram, InputsMayBearTheNamesOfOutputsOrGo) {
  const std::string fixed = path("b_fixed.nii.gz"), moving = path("b_moving.nii.gz"),
                    labels = path("b_moving_labels.nii.gz");
  const auto run = [&](const std::string& prefix, const std::string& f, const std::string& m,
                       const std::string& l, const std::string& meanwhile) {
    const auto outcome = run_program("register -q --preset rigid --device cpu --moving-labels " +
                                     l + " -o " + path(prefix) + " " + f + " " + m + meanwhile);
    EXPECT_EQ(outcome.code, 0) << outcome.text;
  };
  fs::create_directories(path("in"));
  run("in/ok_", fixed, moving, labels, "");
  fs::copy_file(moving, path("in/m_Warped.nii.gz"));
  fs::copy_file(labels, path("in/m_InverseWarped.nii.gz"));
  run("in/m_", fixed, path("in/m_Warped.nii.gz"), path("in/m_InverseWarped.nii.gz"), "");
  fs::copy_file(fixed, path("in/f_Warped.nii.gz"));
  run("in/f_", path("in/f_Warped.nii.gz"), moving, labels, "");
  for (const char* name : {"f.nii.gz", "m.nii.gz", "l.nii.gz"}) {
    const std::string from = name[0] == 'f' ? fixed : name[0] == 'm' ? moving : labels;
    fs::copy_file(from, path(std::string("in/") + name));
  }
  // Gone as soon as the first file of the result is there, before any image is written.
  run("in/g_", path("in/f.nii.gz"), path("in/m.nii.gz"), path("in/l.nii.gz"),
      " & while ! ls " + path("in/g_0GenericAffine.mat") + " >/dev/null 2>&1; do :; done; rm " +
          path("in/f.nii.gz") + " " + path("in/m.nii.gz") + " " + path("in/l.nii.gz") +
          "; wait $!");
  for (const char* prefix : {"in/m_", "in/f_", "in/g_"})
    for (const char* name : {"Warped.nii.gz", "InverseWarped.nii.gz", "WarpedLabels.nii.gz"}) {
      const auto got = io::read_image<float>(path(prefix) + name);
      const auto want = io::read_image<float>(path("in/ok_") + name);
      EXPECT_EQ(got.grid, want.grid) << prefix << name;
      EXPECT_TRUE(std::equal(got.data.begin(), got.data.end(), want.data.begin()))
          << prefix << name;
    }
}

TEST_F(RegisterProgram, LabelsOfSeveralVolumesAndComponentsAreAllWarped) {
  const auto labels = io::read_image<std::uint8_t>(path("b_moving_labels.nii.gz"));
  for (const io::Series& series : {io::Series{.volumes = 3}, io::Series{.components = 3}}) {
    io::NiftiWriter writer(path("hot.nii.gz"), labels.grid, series, {.type = io::DataType::uint8});
    for (const int kind : {2, 3, 41}) {
      std::vector<std::uint8_t> one(labels.data.begin(), labels.data.end());
      for (auto& v : one) v = v == kind;
      writer.write(one.data(), std::ssize(one));
    }
    writer.commit();
    const auto outcome = run_program("register -q --preset rigid -o " + path("h_") +
                                     " --moving-labels " + path("hot.nii.gz") + " " +
                                     path("b_fixed.nii.gz") + " " + path("b_moving.nii.gz"));
    ASSERT_EQ(outcome.code, 0) << outcome.text;
    const auto applied =
        run_program("apply -q -n label -i " + path("hot.nii.gz") + " -r " + path("b_fixed.nii.gz") +
                    " -t " + path("h_0GenericAffine.mat") + " -o " + path("h_apply.nii.gz"));
    ASSERT_EQ(applied.code, 0) << applied.text;
    io::NiftiReader got(path("h_WarpedLabels.nii.gz")), want(path("h_apply.nii.gz"));
    EXPECT_EQ(got.info().series(), series);
    for (int v = 0; v < 3; ++v) {
      const auto a = got.read_volume<std::uint8_t>(v), b = want.read_volume<std::uint8_t>(v);
      EXPECT_TRUE(std::equal(a.data.begin(), a.data.end(), b.data.begin())) << v;
      EXPECT_GT(std::count(a.data.begin(), a.data.end(), 1), 20) << v;
    }
  }
}

TEST_F(RegisterProgram, SlicesGetFlatTransforms) {
  Grid grid;
  grid.size = {1, 60, 64};
  const auto make = [&](const char* name, const Grid& on, double shift) {
    Image<float> image{on, Field<float>(Backend::cpu, on.domain())};
    for (int y = 0; y < 60; ++y)
      for (int x = 0; x < 64; ++x) {
        const double u = x - 30 - shift, v = y - 28 + shift / 2;
        image.data.view()(0, y, x) =
            static_cast<float>(100 * std::exp(-(u * u + 2 * v * v) / 300) +
                               60 * std::exp(-(u * u + v * v - 8 * u) / 60));
      }
    io::write_image(path(name), image, {});
  };
  make("slice_f.nii.gz", grid, 0);
  make("slice_m.nii.gz", grid, 3);
  const auto outcome = run_program("register -q -o " + path("s_") + " " + path("slice_f.nii.gz") +
                                   " " + path("slice_m.nii.gz"));
  ASSERT_EQ(outcome.code, 0) << outcome.text;
  const std::string warp = path("s_1Warp.nii.gz"), affine = path("s_0GenericAffine.mat");
  EXPECT_EQ(io::read_transform(affine).names[0], "AffineTransform_double_2_2");
  for (const char* name : {"c.h5", "c.nii.gz"}) {
    const auto made = run_program("compose -r " + path("slice_f.nii.gz") + " -t " + warp + " -t " +
                                  affine + " -o " + path(name));
    ASSERT_EQ(made.code, 0) << made.text;
    EXPECT_EQ(io::read_transform(path(name)).dimension, 2) << name;
  }
  for (const char* name : {"i.mat", "i.txt", "i.h5"}) {
    const auto made = run_program("invert -t " + affine + " -o " + path(name));
    ASSERT_EQ(made.code, 0) << made.text;
    EXPECT_EQ(io::read_transform(path(name)).dimension, 2) << name;
  }
  // Slices of a volume stay in space.
  grid.origin[2] = 5;
  make("slice_3.nii.gz", grid, 3);
  const auto mixed = run_program("register -q --preset rigid -o " + path("s3_") + " " +
                                 path("slice_f.nii.gz") + " " + path("slice_3.nii.gz"));
  ASSERT_EQ(mixed.code, 0) << mixed.text;
  EXPECT_EQ(io::read_transform(path("s3_0GenericAffine.mat")).dimension, 3);
}

TEST_F(RegisterProgram, SlicesOfAnyPlaneAreImages) {
  // The same pair as axial, sagittal and coronal slices.
  const auto value = [](double u, double v) {
    return 100 * std::exp(-(u * u + 2 * v * v) / 300) +
           60 * std::exp(-((u - 9) * (u - 9) + (v - 4) * (v - 4)) / 60);
  };
  for (const int single : {0, 1, 2}) {
    const int rows = single == 0 ? 1 : 0, columns = single == 2 ? 1 : 2;
    Grid grid;
    grid.size = {48, 48, 48};
    grid.size[single] = 1;
    grid.origin = {-24, -24, -24};
    grid.origin[2 - single] = 7;
    for (const char* name : {"f.nii.gz", "m.nii.gz"}) {
      Image<float> image{grid, Field<float>(Backend::cpu, grid.domain())};
      const double c = std::cos(0.15), s = std::sin(0.15), shift = name[0] == 'm' ? 3 : 0;
      for (int j = 0; j < 48; ++j)
        for (int i = 0; i < 48; ++i) {
          const double u = i - 24 - shift, v = j - 24;
          image.data.data()[48 * j + i] = static_cast<float>(
              name[0] == 'm' ? value(c * u + s * v, -s * u + c * v) : value(u, v));
        }
      io::write_image(path(name), image, {});
    }
    const auto outcome = run_program("register -q -o " + path("p_") + " " + path("f.nii.gz") + " " +
                                     path("m.nii.gz"));
    ASSERT_EQ(outcome.code, 0) << outcome.text;
    const auto affine =
        std::get<Affine>(io::read_transform(path("p_0GenericAffine.mat")).transforms[0]);
    Vec3 p{};
    p[2 - single] = 7;  // a point of the plane
    const Vec3 q = affine(p);
    EXPECT_NEAR(q[2 - single], 7, 1e-6) << single;
    EXPECT_NEAR(q[2 - columns], 3, 0.3) << single;
    EXPECT_NEAR(q[2 - rows], 0, 0.3) << single;
    EXPECT_EQ(io::read_info(path("p_Warped.nii.gz")).grid, grid);
    EXPECT_EQ(io::read_displacement(path("p_1Warp.nii.gz")).grid, grid);
    const auto again = run_program("apply -q -i " + path("m.nii.gz") + " -r " + path("f.nii.gz") +
                                   " -t " + path("p_1Warp.nii.gz") + " -t " +
                                   path("p_0GenericAffine.mat") + " -o " + path("again.nii.gz"));
    ASSERT_EQ(again.code, 0) << again.text;
    EXPECT_LT(difference(path("p_Warped.nii.gz"), path("again.nii.gz")), 0.02) << single;
  }
}

TEST_F(RegisterProgram, WhatLiesOutsideCanBeChosen) {
  auto moving = io::read_image<float>(path("b_moving.nii.gz"));
  for (float& v : moving.data) v -= 1000;
  moving.grid.origin[0] += 60;
  io::write_image(path("ct.nii.gz"), moving, {});
  const float least = *std::min_element(moving.data.begin(), moving.data.end());
  const auto corner = [&](const std::string& option) {
    const auto outcome =
        run_program("register -q --init identity --linear none --no-deformable " + option + " -o " +
                    path("o_") + " " + path("b_fixed.nii.gz") + " " + path("ct.nii.gz"));
    EXPECT_EQ(outcome.code, 0) << outcome.text;
    const auto applied = run_program(
        "apply -q " + option + " -i " + path("ct.nii.gz") + " -r " + path("b_fixed.nii.gz") +
        " -t " + path("o_0GenericAffine.mat") + " -o " + path("o_apply.nii.gz"));
    EXPECT_EQ(applied.code, 0) << applied.text;
    EXPECT_LT(difference(path("o_Warped.nii.gz"), path("o_apply.nii.gz")), 1e-5);
    const auto warped = io::read_image<float>(path("o_Warped.nii.gz"));
    return std::pair(warped.data.data()[0], warped.data.data()[39]);
  };
  for (const auto& [option, value] : {std::pair<std::string, float>{"", 0},
                                      {"--default-value min", least},
                                      {"--default-value -1024", -1024}}) {
    const auto [first, last] = corner(option);
    EXPECT_TRUE(first == value || last == value) << option << ": " << first << " " << last;
  }
}

TEST_F(RegisterProgram, NamesAreCheckedBeforeTheWork) {
  const std::string images = " " + path("b_fixed.nii.gz") + " " + path("b_moving.nii.gz");
  for (const auto& [prefix, wanted] :
       {std::pair{path("long/" + std::string(236, 'a')), std::string("bytes, at most")},
        std::pair{path("x.nii.gz"), std::string("a prefix as out/s1_ is wanted")}}) {
    const auto outcome = run_program("register -v -o " + prefix + images);
    EXPECT_EQ(outcome.code, 1);
    EXPECT_NE(outcome.text.find(wanted), std::string::npos) << outcome.text;
    EXPECT_EQ(outcome.text.find("DIAGNOSTIC"), std::string::npos) << "worked before";
    EXPECT_TRUE(!fs::exists(path("long")) || fs::is_empty(path("long")));
  }
  const auto folder_only =
      run_program("register -q --preset rigid -o " + path("only_folder/") + images);
  ASSERT_EQ(folder_only.code, 0) << folder_only.text;
  EXPECT_TRUE(fs::exists(path("only_folder/ffdp.json")));
  EXPECT_FALSE(fs::exists(path("only_folder/.json")));
}

TEST_F(RegisterProgram, PlanRefusesWhatRegisterRefuses) {
  const std::string fixed = path("b_fixed.nii.gz"), warp = path("b_true_warp.nii.gz");
  const auto labels = io::read_image<std::uint8_t>(path("b_moving_labels.nii.gz"));
  io::NiftiWriter writer(path("series.nii.gz"), labels.grid, {.volumes = 2}, {});
  for (int v = 0; v < 2; ++v) writer.write(labels.data.begin(), labels.data.size());
  writer.commit();
  for (const std::string& arguments :
       {fixed + " " + path("series.nii.gz"), fixed + " " + warp, fixed + " " + path("none.nii"),
        fixed + " " + fixed + " --fixed-mask " + path("series.nii.gz")}) {
    const auto plan = run_program("plan " + arguments);
    const auto work = run_program("register -o " + path("z_") + " " + arguments);
    EXPECT_EQ(plan.code, 1) << arguments;
    EXPECT_EQ(plan.text, work.text) << arguments;
  }
}

TEST_F(RegisterProgram, ThreadsComeFromTheVariablesOfItkAndOpenMp) {
  const auto threads = [&](const std::string& set, const std::string& option) {
    const std::string command = set + " " + FFDP_PROGRAM + " register -q --preset rigid " + option +
                                " -o " + path("t_") + " " + path("b_fixed.nii.gz") + " " +
                                path("b_moving.nii.gz");
    EXPECT_EQ(std::system(command.c_str()), 0);
    std::ifstream file(path("t_.json"));
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    return std::atoi(text.c_str() + text.find("\"threads\":") + 10);
  };
  EXPECT_EQ(threads("OMP_NUM_THREADS=3", ""), 3);
  EXPECT_EQ(threads("OMP_NUM_THREADS=3 ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS=5", ""), 5);
  EXPECT_EQ(threads("OMP_NUM_THREADS=3", "--threads 1"), 1);
  EXPECT_GE(threads("OMP_NUM_THREADS=many", ""), 1);
}

TEST_F(RegisterProgram, BadInputEndsInOneLineAndNoFile) {
  const std::string fixed = path("b_fixed.nii.gz"), moving = path("b_moving.nii.gz");
  std::ofstream(path("unknown.json")) << R"({"deformable": [{"stepp": 1}]})";
  std::ofstream(path("word.json")) << R"({"initialization": "nearest"})";
  fs::copy_file(fixed, path("short.nii.gz"));
  fs::resize_file(path("short.nii.gz"), fs::file_size(fixed) / 2);
  const struct {
    std::string arguments, wanted;
  } cases[] = {
      {path("none.nii.gz") + " " + moving, "none.nii.gz"},
      {path("short.nii.gz") + " " + moving, "short.nii.gz"},
      {fixed + " " + path("b_true_warp.nii.gz"), "b_true_warp.nii.gz"},
      {fixed + " " + moving + " --preset quick", "quick"},
      {fixed + " " + moving + " --metric ssd", "ssd"},
      {fixed + " " + moving + " --iterations 10xa", "10xa"},
      {fixed + " " + moving + " --set deformable/0/stepp=1", "stepp"},
      {fixed + " " + moving + " --set deformable/0/step=3", "step"},
      {fixed + " " + moving + " --set deformable/~step=3", "~step"},
      {fixed + " " + moving + " --set deformable/one/step=3", "deformable/one/step"},
      {fixed + " " + moving + " -c " + path("unknown.json"), "stepp"},
      {fixed + " " + moving + " -c " + path("word.json"), "nearest"},
      {fixed + " " + moving + " --fixed-mask " + path("none.nii"), "none.nii"},
      {fixed + " " + moving + " --fixed-mask " + moving + " --metric lncc,radius=33", "radius"},
      {fixed + " " + moving + " -t " + path("none.mat"), "none.mat"},
      {fixed + " " + moving + " --device gpu", "cuda:N is wanted"},
      {fixed + " " + moving + " --device cuda:1000", "--device cuda:1000: "},
      {fixed + " " + moving + " --gpus 1000", "--gpus 1000: this machine has "},
      {fixed + " " + moving + " --gpus 2 --ranks 2", "leave out --ranks and --device"},
  };
  for (const auto& c : cases) {
    const auto outcome = run_program("register -o " + path("bad/r_") + " " + c.arguments);
    EXPECT_EQ(outcome.code, 1) << c.arguments << ": " << outcome.text;
    EXPECT_NE(outcome.text.find(c.wanted), std::string::npos)
        << c.arguments << ": " << outcome.text;
    EXPECT_EQ(std::count(outcome.text.begin(), outcome.text.end(), '\n'), 1) << outcome.text;
    EXPECT_TRUE(!fs::exists(path("bad")) || fs::is_empty(path("bad"))) << c.arguments;
  }
  const auto unwritable = run_program("register -o /proc/ffdp/r_ " + fixed + " " + moving);
  EXPECT_EQ(unwritable.code, 1);
  EXPECT_NE(unwritable.text.find("/proc/ffdp"), std::string::npos) << unwritable.text;
}

TEST_F(RegisterProgram, BothDevicesWriteTheSameFiles) {
  const auto run = [&](const std::string& device) {
    return run_program("register -q --init identity --linear none --device " + device + " -o " +
                       path(device + "_") + " " + path("b_fixed.nii.gz") + " " +
                       path("b_moving.nii.gz") + " --moving-labels " +
                       path("b_moving_labels.nii.gz"));
  };
  ASSERT_EQ(run("cpu").code, 0);
  const auto outcome = run("cuda");
  if (cuda_devices() == 0) {
    EXPECT_EQ(outcome.code, 1);
    EXPECT_NE(outcome.text.find("ffdp: --device cuda: "), std::string::npos) << outcome.text;
  }
  if (!test::has_device()) return;
  ASSERT_EQ(outcome.code, 0) << outcome.text;
  for (const char* name : {"Warped.nii.gz", "InverseWarped.nii.gz"})
    EXPECT_LT(difference(path(std::string("cpu_") + name), path(std::string("cuda_") + name)), 0.01)
        << name;
}

#if !defined(FFDP_SANITIZE)  // which takes memory itself
TEST_F(RegisterProgram, TakesThePlannedMemory) {
  ASSERT_EQ(run_program("phantom -q --pair --size 128x128x128 --spacing 2 -o " + path("m")).code,
            0);
  const auto record_of = [&](const std::string& device) {
    const auto outcome = run_program(
        "register -q --threads 1 --preset fast --init identity --linear none --iterations 2x2 "
        "--device " +
        device + " -o " + path("m_") + " " + path("m_fixed.nii.gz") + " " +
        path("m_moving.nii.gz"));
    EXPECT_EQ(outcome.code, 0) << outcome.text;
    std::ifstream file(path("m_.json"));
    return nlohmann::json::parse(file);
  };
  const auto cpu = record_of("cpu");
  const auto planned = cpu.at("plan").at("peak_mib").get<int>();
  EXPECT_GE(cpu.at("peak_mib").get<int>(), planned);
  EXPECT_LE(cpu.at("peak_mib").get<int>(), planned + 48)
      << "more than the program itself and its libraries take";
  if (cuda_devices() == 0) return;
  const auto cuda = record_of("cuda");
  const auto planned_device = cuda.at("plan").at("peak_mib").get<double>();
  EXPECT_GE(cuda.at("peak_device_mib").get<double>(), 0.7 * planned_device);
  EXPECT_LE(cuda.at("peak_device_mib").get<double>(), 1.05 * planned_device + 8);
}
#endif

TEST_F(RegisterProgram, QuietPrintsNothing) {
  const auto outcome = run_program("register -q --preset rigid -o " + path("q_") + " " +
                                   path("b_fixed.nii.gz") + " " + path("b_moving.nii.gz"));
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.text, "");
}

TEST_F(RegisterProgram, VerbosePrintsDiagnosticLines) {
  const auto outcome = run_program("register -v --preset rigid -o " + path("v_") + " " +
                                   path("b_fixed.nii.gz") + " " + path("b_moving.nii.gz"));
  EXPECT_EQ(outcome.code, 0);
  EXPECT_NE(outcome.text.find("XXDIAGNOSTIC,Iteration,metricValue,convergenceValue"),
            std::string::npos);
  EXPECT_NE(outcome.text.find("\n1DIAGNOSTIC,    1, "), std::string::npos) << outcome.text;
}

}  // namespace
}  // namespace ffdp::cli
