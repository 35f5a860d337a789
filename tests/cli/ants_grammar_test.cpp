// SPDX-License-Identifier: Apache-2.0
// The grammar of ANTs' command lines.
#include "cli/ants/grammar.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"

namespace ffdp::cli::ants {
namespace {

using Words = std::vector<std::string>;

const std::vector<OptionName> known{
    {'d', "dimensionality"}, {'t', "transform"}, {'m', "metric"}, {'c', "convergence"},
    {'f', "shrink-factors"}, {'v', "verbose"},   {0, "float"},    {'x', "masks"}};

Line line(const Words& words) { return {words, known}; }

std::string refusal(const Words& words) {
  try {
    line(words);
  } catch (const InvalidArgument& error) {
    return error.what();
  }
  return "accepted";
}

TEST(AntsGrammar, BracketsCollectTheirWords) {
  EXPECT_EQ(regroup(Words{"-m", "MI[", "a.nii,", "b.nii,1,32", "]", "-v"}),
            (Words{"-m", "MI[a.nii,b.nii,1,32]", "-v"}));
  EXPECT_EQ(regroup(Words{"(a,", "b)", "{c}", "<d>"}), (Words{"[a,b]", "[c]", "[d]"}));
  EXPECT_EQ(regroup(Words{"MI{", "a,b", "}"}), (Words{"MI[a,b]"}));
}

TEST(AntsGrammar, ValuesAreTakenApart) {
  const Value value = parse_value("MI[ a.nii , b.nii,1,32, Regular,0.25 ]");
  EXPECT_EQ(value.name, "MI");
  EXPECT_EQ(value.parameters, (Words{"a.nii", "b.nii", "1", "32", "Regular", "0.25"}));
  EXPECT_EQ(parse_value("[a.mat,1]").name, "");
  EXPECT_EQ(parse_value("x.nii").name, "x.nii");
  EXPECT_FALSE(parse_value("x.nii").bracket);
}

TEST(AntsGrammar, NegativeNumbersAreValues) {
  const Line l = line({"-f", "-1024", "-c", "[80x40,-0.01,8]", "-m", "-0.01"});
  EXPECT_EQ(l.last("shrink-factors", ""), "-1024");
  EXPECT_EQ(l.values("convergence")[0].parameters[1], "-0.01");
  EXPECT_EQ(l.last("metric", ""), "-0.01");
  EXPECT_NE(refusal({"-f", "-0"}).find("Invalid flag"), std::string::npos);
}

TEST(AntsGrammar, AnOptionWithoutAValueIsOne) {
  const Line l = line({"-v", "-d", "3", "--float"});
  EXPECT_TRUE(l.flag("verbose", "0"));
  EXPECT_TRUE(l.flag("float", "0"));
  EXPECT_FALSE(line({"-d", "3"}).flag("float", "0"));
}

TEST(AntsGrammar, SeveralValuesFollowOneOption) {
  const Line l = line({"-t", "[a.mat,1]", "w.nii.gz", "-t", "z.mat"});
  const auto& values = l.values("transform");
  ASSERT_EQ(values.size(), 3U);
  EXPECT_EQ(values[0].parameters, (Words{"a.mat", "1"}));
  EXPECT_EQ(values[1].name, "w.nii.gz");
  EXPECT_EQ(values[2].name, "z.mat");
}

TEST(AntsGrammar, AnotherOptionBetweenBeginsAStage) {
  const Line l = line({"-m", "A", "-t", "Rigid[0.1]", "-c", "10", "-t", "SyN[.2]", "-m", "B", "-m",
                       "C", "-c", "20", "-x", "k"});
  const auto& metrics = l.values("metric");
  ASSERT_EQ(metrics.size(), 3U);
  EXPECT_EQ(metrics[0].stage, 0);
  EXPECT_EQ(metrics[1].stage, 1);
  EXPECT_EQ(metrics[2].stage, 1);
  EXPECT_EQ(l.values("transform")[1].stage, 1);
  EXPECT_EQ(l.values("convergence")[1].stage, 1);
}

TEST(AntsGrammar, RefusalsSayWhatIsWritten) {
  EXPECT_NE(refusal({"-d3"}).find("write -d 3"), std::string::npos);
  EXPECT_NE(refusal({"--float=1"}).find("write --float 1"), std::string::npos);
  EXPECT_NE(refusal({"--nosuch", "1"}).find("Invalid flag provided: --nosuch"), std::string::npos);
  EXPECT_NE(refusal({"-t", "Rigid0.1]"}).find("without a ["), std::string::npos);
  EXPECT_NE(refusal({"-t", "Rigid(0.1)"}).find("write NAME[...]"), std::string::npos);
  EXPECT_NE(refusal({"-t", "Rigid[0.1]x"}).find("follows the bracket"), std::string::npos);
  EXPECT_NE(refusal({"-t", "Rigid[0.1"}).find("missing"), std::string::npos);
  EXPECT_NE(refusal({"3", "-v"}).find("an option is wanted"), std::string::npos);
}

TEST(AntsGrammar, Numbers) {
  EXPECT_EQ(numbers("-s", "2.5x1x.5"), (std::vector<double>{2.5, 1, 0.5}));
  EXPECT_EQ(whole_numbers("-c", "100x0"), (std::vector<int>{100, 0}));
  EXPECT_THROW(whole_numbers("-c", "100x"), InvalidArgument);
  EXPECT_THROW(whole_numbers("-c", "1.5"), InvalidArgument);
  EXPECT_THROW(number("-f", "12a"), InvalidArgument);
  EXPECT_EQ(number("-c", "1.e-7"), 1e-7);
  EXPECT_TRUE(line({"-v", "TRUE"}).flag_or_true("verbose"));
  EXPECT_THROW(line({"-v", "true"}).flag("verbose", "0"), InvalidArgument);
}

}  // namespace
}  // namespace ffdp::cli::ants
