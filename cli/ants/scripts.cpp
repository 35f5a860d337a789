// SPDX-License-Identifier: Apache-2.0
// antsRegistrationSyN.sh and antsRegistrationSyNQuick.sh: they make a line of antsRegistration from
// a few choices, print it, and run it.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <utility>
#include <vector>

#include "cli/ants/grammar.hpp"
#include "cli/ants/programs.hpp"

#include "ffdp/core/error.hpp"
#include "ffdp/io/nifti.hpp"

namespace ffdp::cli::ants {
namespace {

constexpr const char* scripts_help =
    R"(antsRegistrationSyN.sh, antsRegistrationSyNQuick.sh -d DIMENSION -f FIXED -m MOVING -o PREFIX
  -n threads     -i initial transform, repeatable     -x mask or fixedMask,movingMask, repeatable
  -t t, r, a, s, sr, so, b, br, bo: translation; rigid; rigid + affine; ... + SyN; rigid + SyN;
     SyN only; the same with B-spline SyN     (s)
  -r radius of CC (4); Quick: bins of MI (32)     -s distance of spline knots (26)
  -g step of SyN (0.2)     -p f or d (d)     -j histogram matching 0/1 (0)
  -y reproducible 0/1 (0)     -z collapse the output transforms 0/1 (1)     -e seed
Further -f and -m are further pairs of the SyN stage.
)";

enum class Script { full, quick };

struct Choices {
  Script script = Script::full;
  std::vector<std::string> fixed, moving, masks, initial;
  std::string dimension = "3", prefix = "output", type = "s", metric_number, knots = "26",
              step = "0.2", precision = "d", match = "0", reproducible = "0", collapse = "1",
              seed = "0";
  bool large = false;  ///< any axis of more than 256 voxels
};

const std::map<char, std::string Choices::*> single_choices{
    {'d', &Choices::dimension},     {'o', &Choices::prefix}, {'t', &Choices::type},
    {'r', &Choices::metric_number}, {'s', &Choices::knots},  {'g', &Choices::step},
    {'p', &Choices::precision},     {'j', &Choices::match},  {'y', &Choices::reproducible},
    {'z', &Choices::collapse},      {'e', &Choices::seed}};
const std::map<char, std::vector<std::string> Choices::*> repeatable_choices{
    {'f', &Choices::fixed},
    {'m', &Choices::moving},
    {'x', &Choices::masks},
    {'i', &Choices::initial}};

/// As getopts reads them: a letter and its value, in one word or in two.
void read_choice(Choices& c, char letter, const std::string& value) {
  if (const auto single = single_choices.find(letter); single != single_choices.end()) {
    c.*single->second = value;
  } else if (const auto list = repeatable_choices.find(letter); list != repeatable_choices.end()) {
    (c.*list->second).push_back(value);
  } else {
    require(letter == 'n', std::string("-") + letter + ": no such option; -h lists them");
    require(whole_number("-n", value) >= 0, "-n " + value + ": a number of threads is wanted");
    if (value != "0") setenv("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", value.c_str(), 1);
  }
}

Choices read_choices(Script script, std::span<const std::string> words) {
  Choices c;
  c.script = script;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    require(word.size() >= 2 && word[0] == '-',
            "\"" + word + "\": an option is wanted here, as -f FIXED; -h lists them");
    const bool apart = word.size() == 2;
    require(!apart || i + 1 < words.size(), word + ": its value is missing");
    read_choice(c, word[1], apart ? words[++i] : word.substr(2));
  }
  require(!c.fixed.empty() && c.fixed.size() == c.moving.size(),
          "-f given " + std::to_string(c.fixed.size()) + " times, -m " +
              std::to_string(c.moving.size()) + " times; as many of both are wanted");
  for (const auto* names : {&c.fixed, &c.moving})
    for (const std::string& name : *names)
      require(std::filesystem::exists(name), name + ": there is no such image");
  const auto types = {"t", "r", "a", "s", "sr", "so", "b", "br", "bo"};
  require(std::ranges::count(types, c.type) > 0,
          "-t " + c.type + ": one of t, r, a, s, sr, so, b, br, bo is wanted");
  require(c.precision == "f" || c.precision == "d", "-p " + c.precision + ": f or d is wanted");
  const Int3 size = io::read_info(c.fixed[0]).grid.size;
  c.large = std::ranges::any_of(size, [](int n) { return n > 256; });
  return c;
}

using Words = std::vector<std::string>;

void add(Words& line, const Words& more) { line.insert(line.end(), more.begin(), more.end()); }

/// -c, -f and -s of a stage. The last level is left out by Quick: it has `last` iterations.
void add_levels(Words& line, const std::string& iterations, const std::string& last,
                const std::string& shrink, const std::string& sigmas) {
  add(line, {"--convergence", "[" + iterations + "x" + last + ",1e-6,10]", "--shrink-factors",
             shrink, "--smoothing-sigmas", sigmas + "vox"});
}

void add_linear(Words& line, const Choices& c, const std::string& transform) {
  const bool gc = c.reproducible == "1";
  add(line, {"--transform", transform + "[0.1]", "--metric",
             (gc ? "GC[" : "MI[") + c.fixed[0] + "," + c.moving[0] + ",1," + (gc ? "1" : "32") +
                 ",Regular,0.25]"});
  const std::string last = c.script == Script::quick ? "0" : "100";
  if (c.large)
    add_levels(line, "1000x500x250", last, "12x8x4x2", "4x3x2x1");
  else
    add_levels(line, "1000x500x250", last, "8x4x2x1", "3x2x1x0");
}

void add_syn(Words& line, const Choices& c) {
  const bool quick = c.script == Script::quick;
  add(line, {"--transform", c.type[0] == 'b' ? "BSplineSyN[" + c.step + "," + c.knots + ",0,3]"
                                             : "SyN[" + c.step + ",3,0]"});
  const std::string number = c.metric_number.empty() ? (quick ? "32" : "4") : c.metric_number;
  const std::string metric = !quick ? "CC" : c.reproducible == "1" ? "CC" : "MI";
  for (std::size_t i = 0; i < c.fixed.size(); ++i)
    add(line, {"--metric", metric + "[" + c.fixed[i] + "," + c.moving[i] + ",1," +
                               (quick && metric == "CC" ? "2" : number) + "]"});
  const std::string last = quick ? "0" : "20";
  if (c.type == "sr" || c.type == "br")
    add_levels(line, "50", last, "2x1", "1x0");
  else if (c.large)
    add_levels(line, "100x100x70x50", last, "10x6x4x2x1", "5x3x2x1x0");
  else
    add_levels(line, "100x70x50", last, "8x4x2x1", "3x2x1x0");
}

/// The line of antsRegistration that the script would run.
Words line_of(const Choices& c) {
  Words line{"--verbose", "1"};
  const char* seed = std::getenv("ANTS_RANDOM_SEED");
  std::string chosen = c.seed;
  if (chosen == "0" && seed != nullptr) chosen = seed;
  if (chosen == "0" && c.reproducible == "1") chosen = "1";
  if (chosen != "0") add(line, {"--random-seed", chosen});
  add(line,
      {"--dimensionality", c.dimension, "--float", c.precision == "f" ? "1" : "0",
       "--collapse-output-transforms", c.collapse, "--output",
       "[" + c.prefix + "," + c.prefix + "Warped.nii.gz," + c.prefix + "InverseWarped.nii.gz]",
       "--interpolation", "Linear", "--use-histogram-matching", c.match,
       "--winsorize-image-intensities", "[0.005,0.995]"});
  for (const std::string& mask : c.masks)
    add(line, {"-x", "[" + mask + (mask.find(',') == std::string::npos ? ",NULL]" : "]")});
  const bool only = c.type == "so" || c.type == "bo";
  if (c.initial.empty())
    add(line, {"--initial-moving-transform",
               only ? "Identity" : "[" + c.fixed[0] + "," + c.moving[0] + ",1]"});
  for (const std::string& transform : c.initial)
    add(line, {"--initial-moving-transform", transform});
  if (!only) add_linear(line, c, c.type == "t" ? "Translation" : "Rigid");
  if (c.type == "a" || c.type == "s" || c.type == "b") add_linear(line, c, "Affine");
  if (c.type[0] == 's' || c.type[0] == 'b') add_syn(line, c);
  return line;
}

int run(Script script, std::span<const std::string> words) {
  if (const auto code = answered(words, scripts_help)) return *code;
  const Choices choices = read_choices(script, words);
  const Words line = line_of(choices);
  const std::string rule(86, '-');
  std::printf(" antsRegistration call:\n%s\nantsRegistration", rule.c_str());
  for (const std::string& word : line) std::printf(" %s", word.c_str());
  std::printf("\n%s\n", rule.c_str());
  if (const int code = registration(line); code != 0) return code;
  std::printf(
      "Moving image resampled into fixed space: %sWarped.nii.gz\n"
      "Fixed image resampled into moving space: %sInverseWarped.nii.gz\n",
      choices.prefix.c_str(), choices.prefix.c_str());
  return 0;
}

}  // namespace

int registration_syn(std::span<const std::string> words) { return run(Script::full, words); }
int registration_syn_quick(std::span<const std::string> words) { return run(Script::quick, words); }

}  // namespace ffdp::cli::ants
