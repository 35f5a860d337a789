// SPDX-License-Identifier: Apache-2.0
// Whole command lines of ANTs' programs: which files they leave, and how wrong ones are refused.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>

#include "tests/support/data.hpp"
#include "tests/support/fields.hpp"
#include "tests/support/program.hpp"

#include <gtest/gtest.h>

#include "ffdp/io/nifti.hpp"
#include "ffdp/io/points_csv.hpp"
#include "ffdp/io/transform_file.hpp"

namespace ffdp {
namespace {

using test::Outcome;

/// Runs a line in `folder`, with ANTs' names on PATH.
Outcome run_in(const test::TemporaryFolder& folder, const std::string& line) {
  return test::run_command("cd " + folder.path() + " && PATH=" FFDP_ANTS_FOLDER ":$PATH && " +
                           line);
}

/// A ball with structure in it; the moving one is shifted by some voxels.
Image<float> ball(const Int3& size, double shift, std::uint32_t seed) {
  const Grid grid{.size = size, .spacing = {1, 1, size[0] > 1 ? 1.5 : 1}};
  return {grid, test::make_field(grid.domain(), [&](int z, int y, int x) {
            double r = 0;
            const double at[3] = {size[0] > 1 ? double(z) : 0, y + shift, x - shift};
            for (int a = 0; a < 3; ++a)
              if (size[a] > 1) r += std::pow((at[a] - size[a] / 2.0) / (0.35 * size[a]), 2);
            return 5 + (60 + 60 * test::smooth_noise(at[0], at[1], at[2], 8, seed)) /
                           (1 + std::exp(8 * (r - 1)));
          })};
}

class AntsLines : public testing::Test {
 protected:
  void make(const Int3& size) {
    const auto write = [&](const std::string& name, double shift, std::uint32_t seed) {
      io::write_image(folder / name, ball(size, shift, seed), {});
    };
    for (const std::string n : {"", "1", "2"}) {
      write("f" + n + ".nii.gz", 0, 7);
      write("m" + n + ".nii.gz", 1.5, 7);
    }
    Image<float> mask = ball(size, 0, 7);
    for (float& value : mask.data) value = value > 7 ? 1.0F : 0.0F;
    io::write_image(folder / "fmask.nii.gz", mask, {.type = io::DataType::uint8});
  }
  std::set<std::string> files() const {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
      names.insert(entry.path().filename().string());
    return names;
  }
  /// Runs the line; what it must leave, and nothing else.
  void leaves(const std::string& line, const std::set<std::string>& wanted) {
    std::set<std::string> before = files();
    const Outcome outcome = run_in(folder, line);
    ASSERT_EQ(outcome.code, 0) << line << "\n" << outcome.text;
    std::set<std::string> made;
    const std::set<std::string> after = files();
    std::ranges::set_difference(after, before, std::inserter(made, made.end()));
    EXPECT_EQ(made, wanted) << line;
  }
  /// Exit code 1, one line that says `part`, and no new file.
  void refuses(const std::string& line, const std::string& part) {
    const auto before = files();
    const Outcome outcome = run_in(folder, line);
    EXPECT_EQ(outcome.code, 1) << line << "\n" << outcome.text;
    EXPECT_NE(outcome.text.find(part), std::string::npos) << line << "\n"
                                                          << part << " is not in: " << outcome.text;
    EXPECT_EQ(files(), before) << line;
  }
  /// Mean square difference of two images, over that of the fixed and the moving one.
  double left_over(const std::string& warped) const {
    const auto f = io::read_image<float>(folder / "f.nii.gz"),
               m = io::read_image<float>(folder / "m.nii.gz"),
               w = io::read_image<float>(folder / warped);
    double before = 0, after = 0;
    for (std::int64_t i = 0; i < f.data.size(); ++i) {
      before += std::pow(f.data.data()[i] - m.data.data()[i], 2);
      after += std::pow(f.data.data()[i] - w.data.data()[i], 2);
    }
    return after / before;
  }
  test::TemporaryFolder folder;
};

TEST_F(AntsLines, RigidAndSynWithTwoMetrics) {
  make({40, 48, 44});
  leaves(
      "antsRegistration -d 3 --float 1 -o [ a_,a_W.nii.gz ] -r [f.nii.gz,m.nii.gz,1] "
      "-w [0.01,0.99] -u 1 -t Rigid[ 0.1 ] -m Mattes[ f.nii.gz, m.nii.gz, 1, 48, Regular, 0.3 ] "
      "-c [ 400x200x50, 1e-6, 12 ] -f 8x4x2 -s 3x2x1vox -t SyN[0.15, 3.0, 0.5] "
      "-m CC[f.nii.gz,m.nii.gz,0.7,3] -m MI[f2.nii.gz,m2.nii.gz,0.3,32] "
      "-c 60x40x20x0 -f 6x4x2x1 -s 2.5x1.5x0.5x0mm -x [ fmask.nii.gz, NULL ] -z 1",
      {"a_0GenericAffine.mat", "a_1Warp.nii.gz", "a_1InverseWarp.nii.gz", "a_W.nii.gz"});
  EXPECT_LT(left_over("a_W.nii.gz"), 0.25);
  EXPECT_EQ(io::read_info(folder / "a_W.nii.gz").type, io::DataType::float32);
  const auto warp = io::read_info(folder / "a_1Warp.nii.gz");
  EXPECT_EQ(warp.components(), 3);
  EXPECT_EQ(warp.intent, io::intent_vector);

  std::ofstream(folder / "p.csv") << "x,y,z,t\n10,12,14,0\n";
  leaves(
      "antsApplyTransformsToPoints -d 3 -i p.csv -o q.csv -t a_1Warp.nii.gz "
      "-t a_0GenericAffine.mat",
      {"q.csv"});
  leaves(
      "antsApplyTransformsToPoints -d 3 -i q.csv -o back.csv -t [ a_0GenericAffine.mat, 1 ] "
      "-t a_1InverseWarp.nii.gz",
      {"back.csv"});
  const auto there = io::read_points(folder / "q.csv").points[0],
             back = io::read_points(folder / "back.csv").points[0];
  EXPECT_GT(std::hypot(there[0] - 10, there[1] - 12, there[2] - 14), 1);
  EXPECT_LT(std::hypot(back[0] - 10, back[1] - 12, back[2] - 14), 0.1);
}

TEST_F(AntsLines, TwoDimensionsAndAComposite) {
  make({1, 48, 40});
  leaves(
      "antsRegistration --dimensionality 2 -m cc[f.nii.gz,m.nii.gz,1,2] -t syn[.25,3,0] "
      "-c [30x20,-0.005,6] -s 1x0 -f 2x1 -r Identity -v -o b_ -x NA -a 1",
      {"b_Composite.h5", "b_InverseComposite.h5"});
  const auto file = io::read_transform(folder / "b_Composite.h5");
  EXPECT_EQ(file.transforms.size(), 2U);
  EXPECT_EQ(file.dimension, 2);
}

TEST_F(AntsLines, GreedyRestrictedWithBothImages) {
  make({40, 48, 44});
  leaves(
      "antsRegistration -d 3 -c [80x40,1.e-7,8] -s 0 -f 2x1 -m demons[f.nii.gz,m.nii.gz,1,1] "
      "-t GaussianDisplacementField[0.2,3,0.5] -g 1x0x1 -o [c_,c_W.nii.gz,c_IW.nii.gz] "
      "-n BSpline[3] -l 1",
      {"c_0Warp.nii.gz", "c_W.nii.gz", "c_IW.nii.gz"});
  EXPECT_EQ(io::read_info(folder / "c_W.nii.gz").type, io::DataType::float64);
  const auto warp = io::read_displacement(folder / "c_0Warp.nii.gz");
  double along[3] = {};
  for (int c = 0; c < 3; ++c)
    test::for_each_voxel(warp.grid.domain(), [&](int z, int y, int x) {
      along[c] = std::max(along[c], std::abs(double(warp.data.view()[c](z, y, x))));
    });
  EXPECT_GT(along[0], 0.5);
  EXPECT_LT(along[1], 1e-4);
}

TEST_F(AntsLines, ApplyToASeriesAndProductsOfMatrices) {
  make({40, 48, 44});
  leaves(
      "antsRegistration -d 3 -r [f.nii.gz,m.nii.gz,0] -t SyN[0.2] -m MI[f.nii.gz,m.nii.gz] "
      "-c 10x0 -f 2x1 -s 1x0 -o a_",
      {"a_0GenericAffine.mat", "a_1Warp.nii.gz", "a_1InverseWarp.nii.gz"});
  const auto one = io::read_image<float>(folder / "f.nii.gz");
  {
    io::NiftiWriter writer(folder / "series.nii.gz", one.grid, {.volumes = 3}, {});
    std::vector<float> values(one.data.begin(), one.data.end());
    for (int v = 0; v < 3; ++v) {
      writer.write(values.data(), std::ssize(values));
      for (float& value : values) value += 100;
    }
    writer.commit();
  }
  leaves(
      "antsApplyTransforms -d 3 -e 3 -i series.nii.gz -r f.nii.gz -o out.nii.gz "
      "-n LanczosWindowedSinc -t [ a_0GenericAffine.mat, 1 ] a_1InverseWarp.nii.gz -f -1024 "
      "-u short -v 1",
      {"out.nii.gz"});
  EXPECT_EQ(io::read_info(folder / "out.nii.gz").volumes(), 3);
  EXPECT_EQ(io::read_info(folder / "out.nii.gz").type, io::DataType::int16);
  // One volume of it alone, as it is in the whole series.
  const std::string whole = "antsApplyTransforms -d 3 -e 3 -i series.nii.gz -r f.nii.gz ";
  leaves(whole + "-o all.nii.gz -t a_1Warp.nii.gz", {"all.nii.gz"});
  leaves(whole + "-o third.nii.gz -t a_1Warp.nii.gz --time-index 2", {"third.nii.gz"});
  EXPECT_EQ(io::read_info(folder / "third.nii.gz").volumes(), 1);
  const auto third = io::NiftiReader(folder / "all.nii.gz").read_volume<float>(2),
             alone = io::read_image<float>(folder / "third.nii.gz");
  EXPECT_TRUE(std::equal(third.data.begin(), third.data.end(), alone.data.begin()));
  EXPECT_GT(alone.data.view()(20, 24, 22), 200);
  refuses(whole + "-o w.nii.gz --time-index 3", "has volumes 0 to 2");
  refuses("antsApplyTransforms -d 3 -i f.nii.gz -r f.nii.gz -o w.nii.gz --time-index 0",
          "write -e 3");
  const Affine a{.linear = {{{1, 0.1, 0}, {0, 1.1, 0}, {0.2, 0, 1}}}, .translation = {1, 2, 3}};
  const Affine b{.linear = {{{1, 0, 0}, {0.3, 0.9, 0}, {0, 0, 1}}}, .translation = {-4, 5, 0}};
  io::write_affine(folder / "one.mat", a, {9, 8, 7}, 3);
  io::write_affine(folder / "two.txt", b, {}, 3);
  leaves("antsApplyTransforms -r f.nii.gz -o Linear[ total.mat,1 ] -t one.mat -t two.txt",
         {"total.mat"});
  const auto total = std::get<Affine>(io::read_transform(folder / "total.mat").transforms[0]);
  const Vec3 p = total(b(a({3, 1, 4})));  // a point meets one.mat first
  EXPECT_NEAR(p[0], 3, 1e-9);
  EXPECT_NEAR(p[1], 1, 1e-9);
  EXPECT_NEAR(p[2], 4, 1e-9);
  leaves("antsApplyTransforms -d 3 -r f.nii.gz -o [field.nii.gz,1] -t a_1Warp.nii.gz -t one.mat",
         {"field.nii.gz"});
  leaves(
      "antsApplyTransforms -d 3 -r f.nii.gz -o CompositeTransform[x.h5] -t a_1Warp.nii.gz "
      "-t one.mat",
      {"x.h5"});
  leaves("CreateJacobianDeterminantImage 3 a_1Warp.nii.gz jac.nii.gz 1 0", {"jac.nii.gz"});
}

TEST_F(AntsLines, QuickScriptWithTwoPairs) {
  make({40, 48, 44});
  leaves(
      "antsRegistrationSyNQuick.sh -d 3 -f f1.nii.gz -f f2.nii.gz -m m1.nii.gz -m m2.nii.gz "
      "-t sr -x fmask.nii.gz -n 4 -e 7 -o d_",
      {"d_0GenericAffine.mat", "d_1Warp.nii.gz", "d_1InverseWarp.nii.gz", "d_Warped.nii.gz",
       "d_InverseWarped.nii.gz"});
  EXPECT_LT(left_over("d_Warped.nii.gz"), 0.25);
}

/// GC in linear and deformable stages, with masks and a second pair, whose contrast is inverted.
TEST_F(AntsLines, StatesAreSavedAndRestored) {
  make({40, 48, 44});
  const std::string line = "antsRegistration -d 3 -a 1 ",
                    m = "-t SyN[0.1,3,0] -m CC[f.nii.gz,m.nii.gz,1,2] -f 2 -s 1 ";
  leaves(line + "-r [f.nii.gz,m.nii.gz,1] -j a.h5 -o a_ " + m + "-c 20",
         {"a.h5", "a_Composite.h5", "a_InverseComposite.h5"});
  const auto of = [&](const std::string& name) {
    return io::read_transform(folder / name).transforms;
  };
  // The affine, and the halves of the warp with their inverses.
  ASSERT_EQ(of("a.h5").size(), 5U);
  // Goes on from there, so no iteration leaves it all as it is; -g without numbers means nothing.
  leaves(line + "-k a.h5 -o b_ " + m + "-c 0 --restrict-deformation",
         {"b_Composite.h5", "b_InverseComposite.h5"});
  for (const std::string name : {"Composite.h5", "InverseComposite.h5"}) {
    const auto one = of("a_" + name), other = of("b_" + name);
    ASSERT_EQ(other.size(), one.size());
    for (std::size_t i = 0; i < one.size(); ++i) {
      ASSERT_EQ(other[i].index(), one[i].index());
      if (one[i].index() == 0) continue;
      const auto &u = std::get<1>(one[i])->data, &v = std::get<1>(other[i])->data;
      double largest = 0;
      for (std::int64_t k = 0; k < 3 * std::get<1>(one[i])->grid.domain().volume(); ++k)
        largest = std::max(largest, std::abs(double(u.data()[k]) - double(v.data()[k])));
      EXPECT_LT(largest, 1e-4) << name;
    }
  }
}

TEST_F(AntsLines, GlobalCorrelation) {
  make({40, 48, 44});
  Image<float> inverted = ball({40, 48, 44}, 1.5, 7);
  for (float& value : inverted.data) value = 400 - 2 * value;
  io::write_image(folder / "m2.nii.gz", inverted, {});
  leaves(
      "antsRegistration -d 3 -o [g_,g_W.nii.gz] -x [fmask.nii.gz,NULL] -t Rigid[0.1] "
      "-m GC[f.nii.gz,m.nii.gz,1,1,Regular,0.25] -c 20 -f 2 -s 1 -t SyN[0.1,3,0] "
      "-m GC[f.nii.gz,m.nii.gz,1,1] -m gc[f2.nii.gz,m2.nii.gz,0.5] -c 30x10 -f 2x1 -s 1x0",
      {"g_0GenericAffine.mat", "g_1Warp.nii.gz", "g_1InverseWarp.nii.gz", "g_W.nii.gz"});
  EXPECT_LT(left_over("g_W.nii.gz"), 0.25);
}

/// Fields smoothed by B-splines, their knots by distance and by number, of update and total field.
TEST_F(AntsLines, BSplines) {
  make({40, 48, 44});
  const std::string m = " -m CC[f.nii.gz,m.nii.gz,1,2] -c 30x15 -f 2x1 -s 1x0";
  leaves("antsRegistration -d 3 -o [b_,b_W.nii.gz] -t BSplineSyN[0.1,10,0,3]" + m,
         {"b_0Warp.nii.gz", "b_0InverseWarp.nii.gz", "b_W.nii.gz"});
  EXPECT_LT(left_over("b_W.nii.gz"), 0.25);
  leaves(
      "antsRegistration -d 3 -o [p_,p_W.nii.gz] -t BSplineDisplacementField[0.1,6x6x6,12x12x12]" +
          m,
      {"p_0Warp.nii.gz", "p_W.nii.gz"});
  EXPECT_LT(left_over("p_W.nii.gz"), 0.25);
  leaves("antsRegistration -d 3 -o [x_,x_W.nii.gz] -t BSplineExponential[0.1,10,0,10,3]" + m,
         {"x_0Warp.nii.gz", "x_0InverseWarp.nii.gz", "x_W.nii.gz"});
  EXPECT_LT(left_over("x_W.nii.gz"), 0.25);
  // A mesh of one element allows next to nothing.
  leaves("antsRegistration -d 3 -o [s_,s_W.nii.gz] -t BSplineSyN[0.1,1x1x1]" + m,
         {"s_0Warp.nii.gz", "s_0InverseWarp.nii.gz", "s_W.nii.gz"});
  EXPECT_GT(left_over("s_W.nii.gz"), left_over("b_W.nii.gz"));
  refuses("antsRegistration -d 3 -o w_ -t BSplineSyN[0.1,10x10]" + m, "3 are wanted");
  refuses("antsRegistration -d 3 -o w_ -t BSplineSyN[0.1,26,0,2]" + m, "write 3");
  refuses("antsRegistration -d 3 -o w_ -t BSplineSyN[0.1,0x5x5]" + m, "as 26, or how many");
}

TEST_F(AntsLines, StagesKeptApartAndFilesOfEarlierStages) {
  make({40, 48, 44});
  const std::string images = "f.nii.gz,m.nii.gz";
  leaves("antsRegistration -d 3 -z 0 -r [" + images + ",1] -o s_ -t Translation[0.1] -m GC[" +
             images + ",1,1] -c 20 -f 2 -s 1 -t Affine[0.1] -m MI[" + images +
             ",1,32] -c 20 -f 2 -s 1 -t SyN[0.1] -m CC[" + images + ",1,2] -c 5x0 -f 2x1 -s 1x0",
         {"s_0DerivedInitialMovingTranslation.mat", "s_1Translation.mat", "s_2Affine.mat",
          "s_3Warp.nii.gz", "s_3InverseWarp.nii.gz"});
  // A second warp after a first one, and an affine after both.
  leaves(
      "antsRegistration -d 3 -r s_3Warp.nii.gz -r s_2Affine.mat -r s_1Translation.mat -r "
      "s_0DerivedInitialMovingTranslation.mat -o [e_,e_W.nii.gz] -t SyN[0.1] -m CC[" +
          images + ",1,2] -c 20x10 -f 2x1 -s 1x0 -t Affine[0.1] -m MI[" + images +
          ",1,32] -c 10 -f 2 -s 1",
      {"e_0GenericAffine.mat", "e_1Warp.nii.gz", "e_1InverseWarp.nii.gz", "e_2GenericAffine.mat",
       "e_W.nii.gz"});
  EXPECT_LT(left_over("e_W.nii.gz"), 0.25);
}

TEST_F(AntsLines, WrongLinesAreRefusedWithTheRightWay) {
  make({40, 48, 44});
  const std::string start = "antsRegistration -d 3 -o w_ ", m = "-m CC[f.nii.gz,m.nii.gz,1,4] ",
                    levels = "-c 10x5 -f 2x1 -s 1x0 ", syn = "-t SyN[0.1,3,0] ";
  refuses("antsRegistration -d3 -o w_ " + syn + m + levels, "write -d 3");
  refuses(start + "-t SyN[0.1,3,0]x " + m + levels, "put a blank after ]");
  refuses(start + "-t Rigid0.1] " + m + levels, "write NAME[...]");
  refuses(start + syn + m + "-c 10x5x1 -f 2x1 -s 1x0", "one factor a level");
  refuses(start + syn + m + "-c 10x5 -f 2 -s 1x0", "one factor a level");
  refuses(start + syn + m + "-c 10x5 -f 2x1 -s 1x0x0", "-s 1x0x0: 3 levels");
  refuses(start + syn + m + levels + syn + m + levels + syn + m + levels +
              "-x fmask.nii.gz -x fmask.nii.gz",
          "once a stage");
  refuses(start + syn + "-m PSE[a.vtk,b.vtk,1] " + levels, "use CC or MI");
  refuses(start + "-t TimeVaryingVelocityField[0.1,4,3,0,0,0] " + m + levels, "use SyN[0.1,3,0]");
  refuses(start + "--minc 1 " + syn + m + levels, "MINC");
  refuses("antsRegistration -d 4 -o w_ " + syn + m + levels, "4-D is not done here");
  refuses(start + syn + m + levels + "--nosuch 1", "Invalid flag");
  refuses(start + "-m nosuch[f.nii.gz,m.nii.gz] " + syn + levels, "CC, MI, Mattes");
  refuses(start + "-t NoSuch[0.1] " + m + levels, "unknown, one of Translation");
  refuses(start + syn + m + levels + "-n NoSuch", "GenericLabel is wanted");
  refuses(start + "-r nosuch.mat " + syn + m + levels, "nosuch.mat");
  refuses("antsRegistration -o w_ " + syn + m + levels, "-d is wanted");
  refuses("antsRegistration -d 2 -o w_ " + syn + m + levels, "write -d 3");
  // Seen in public scripts.
  refuses("antsRegistration -d 3--float 0 -o w_ " + syn + m + levels, "3--float");
  refuses(start + syn + m + levels + "--Restrict-Deformation 1x1x0",
          "write --restrict-deformation");
  refuses(start + syn + "-m GC [f.nii.gz,m.nii.gz,1,4] " + levels, "as GC[fixed.nii.gz");
  refuses("antsRegistration -d 3 -o [w_,w_aligned.nrrd] " + syn + m + levels,
          "write w_aligned.nrrd.nii.gz");
  const auto f = io::read_image<float>(folder / "f.nii.gz");
  {
    io::NiftiWriter writer(folder / "series.nii.gz", f.grid, {.volumes = 2}, {});
    for (int v = 0; v < 2; ++v) writer.write(f.data.data(), f.data.size());
    writer.commit();
  }
  refuses("antsApplyTransforms -d 3 -i series.nii.gz -r f.nii.gz -o o.nii.gz -t identity",
          "write -e 3");
  refuses("antsApplyTransforms -d 3 -e 2 -i f.nii.gz -r f.nii.gz -o o.nii.gz", "tensors");
  DisplacementImage warp{f.grid, VectorField<float>(Backend::cpu, f.grid.domain())};
  std::fill(warp.data.begin(), warp.data.end(), 0.5F);
  io::write_displacement(folder / "w.nii.gz", warp, {});
  refuses("antsApplyTransforms -d 3 -i f.nii.gz -r f.nii.gz -o o.nii.gz -t [w.nii.gz,1]",
          "1InverseWarp.nii.gz");
  refuses("antsApplyTransforms -d 3 -i f.nii.gz -r f.nii.gz -o Linear[o.mat] -t w.nii.gz",
          "[FILE.nii.gz,1]");
}

TEST_F(AntsLines, VersionAndHelp) {
  const Outcome version = run_in(folder, "antsRegistration --version");
  EXPECT_EQ(version.code, 0);
  EXPECT_EQ(version.text.rfind("ANTs Version: ", 0), 0U) << version.text;
  for (const char* name : {"antsRegistration", "antsApplyTransforms", "antsRegistrationSyN.sh",
                           "antsRegistrationSyNQuick.sh", "antsApplyTransformsToPoints"}) {
    EXPECT_EQ(run_in(folder, std::string(name) + " --help").code, 0) << name;
    EXPECT_EQ(run_in(folder, name).code, 1) << name;
  }
}

}  // namespace
}  // namespace ffdp
