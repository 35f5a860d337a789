// SPDX-License-Identifier: Apache-2.0
// The command line of antsRegistration.
#include "cli/ants/registration_line.hpp"

#include <cstdlib>
#include <filesystem>

#include "ffdp/core/error.hpp"
#include "ffdp/io/nifti.hpp"
#include "ffdp/registration/linear/maps.hpp"

namespace ffdp::cli::ants {
namespace {

/// The values of an option that every stage must have.
std::vector<Value> of_stages(const Line& line, const std::string& name, std::size_t stages) {
  const auto& values = line.values(name);
  require(values.size() == stages, "--" + name + ": given " + std::to_string(values.size()) +
                                       " times, --transform " + std::to_string(stages) +
                                       " times; every stage has one of both");
  return values;
}

void check_smoothing(const std::string& text, std::size_t levels) {
  std::string body = text;
  for (const std::string unit : {"vox", "mm"})
    if (body.ends_with(unit)) body.resize(body.size() - unit.size());
  const auto sigmas = numbers("-s", body);
  require(sigmas.size() == 1 || sigmas.size() == levels,
          "-s " + text + ": " + std::to_string(sigmas.size()) + " levels, -c and -f have " +
              std::to_string(levels));
  for (const double sigma : sigmas) require(sigma >= 0, "-s " + text + ": a sigma is not negative");
}

void read_levels(const Line& line, std::vector<StageLine>& stages) {
  const auto convergence = of_stages(line, "convergence", stages.size()),
             shrink = of_stages(line, "shrink-factors", stages.size()),
             smoothing = of_stages(line, "smoothing-sigmas", stages.size());
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const Value& c = convergence[i];
    stages[i].iterations = whole_numbers("-c", c.bracket ? c.parameters[0] : c.text);
    if (c.parameters.size() > 1 && !c.parameters[1].empty())
      number("-c " + c.text, c.parameters[1]);
    stages[i].shrink = whole_numbers("-f", shrink[i].text);
    const std::size_t levels = stages[i].iterations.size();
    require(stages[i].shrink.size() == levels,
            "-f " + shrink[i].text + ": " + std::to_string(stages[i].shrink.size()) +
                " levels, -c " + c.text + " has " + std::to_string(levels) +
                "; write one factor a level, as -c 100x50 -f 2x1");
    for (const int factor : stages[i].shrink)
      require(factor >= 1, "-f " + shrink[i].text + ": factors are 1 or more");
    check_smoothing(smoothing[i].text, levels);
  }
}

/// The name of an existing mask; any other name means none, as in ANTs.
std::string mask_or_none(const std::string& name) {
  if (std::filesystem::is_regular_file(name)) return name;
  const std::string word = lower(name);
  if (!name.empty() && word != "null" && word != "na" && word != "nomask" && word != "none")
    note("-x " + name + ": there is no such file, so there is no mask");
  return "";
}

void read_masks(const Line& line, std::vector<StageLine>& stages) {
  const auto& masks = line.values("masks");
  require(masks.size() <= 1 || masks.size() == stages.size(),
          "-x: given " + std::to_string(masks.size()) + " times for " +
              std::to_string(stages.size()) +
              " stages; write it once for all, or once a stage with [NULL,NULL] where there is "
              "none");
  for (std::size_t i = 0; i < stages.size() && !masks.empty(); ++i) {
    const Value& mask = masks.size() == 1 ? masks[0] : masks[i];
    stages[i].fixed_mask = mask_or_none(mask.bracket ? mask.parameters[0] : mask.name);
    if (mask.parameters.size() > 1) stages[i].moving_mask = mask_or_none(mask.parameters[1]);
  }
}

void read_restrictions(const Line& line, int dimension, std::vector<StageLine>& stages) {
  const auto& values = line.values("restrict-deformation");
  require(values.size() <= stages.size(), "-g: given " + std::to_string(values.size()) +
                                              " times for " + std::to_string(stages.size()) +
                                              " stages");
  for (std::size_t i = 0; i < values.size(); ++i) {
    StageLine& stage = stages[i];
    if (values[i].text == "1") {  // the option without a value
      note("-g without numbers restricts nothing");
      continue;
    }
    stage.restriction = numbers("-g", values[i].text);
    const auto wanted =
        is_linear(stage.kind)
            ? registration::parameters(static_cast<registration::LinearKind>(stage.kind), dimension)
            : dimension;
    require(static_cast<int>(stage.restriction.size()) == wanted,
            "-g " + values[i].text + ": " + stage.name + " has " + std::to_string(wanted) +
                " components, as many numbers with x between them are wanted");
    for (const double share : stage.restriction)
      require(share >= 0 && share <= 1,
              "-g " + values[i].text + ": numbers from 0 to 1 are wanted");
  }
}

void read_stages(const Line& line, RegistrationLine& r) {
  require(line.has("transform"), "antsRegistration: -t is wanted, as -t SyN[0.1,3,0]");
  require(line.has("metric"), "antsRegistration: -m is wanted, as -m MI[f.nii.gz,m.nii.gz,1,32]");
  for (const Value& value : line.values("transform")) {
    r.stages.push_back(parse_transform(value));
    for (const SplineMesh* mesh : {&r.stages.back().update_mesh, &r.stages.back().warp_mesh})
      require(mesh->elements.empty() || static_cast<int>(mesh->elements.size()) == r.dimension,
              "-t " + value.text + ": a mesh has " + std::to_string(mesh->elements.size()) +
                  " axes, " + std::to_string(r.dimension) + " are wanted");
  }
  for (const Value& value : line.values("metric")) {
    require(value.stage < static_cast<int>(r.stages.size()),
            "-m " + value.text + ": belongs to stage " + std::to_string(value.stage + 1) + " of " +
                std::to_string(r.stages.size()) +
                "; metrics of one stage follow each other without another option between");
    r.stages[static_cast<std::size_t>(value.stage)].metrics.push_back(parse_metric(value));
  }
  for (std::size_t i = 0; i < r.stages.size(); ++i)
    require(!r.stages[i].metrics.empty(),
            "-t " + line.values("transform")[i].text + ": the stage has no metric; write -m");
  read_levels(line, r.stages);
  read_masks(line, r.stages);
  read_restrictions(line, r.dimension, r.stages);
}

void read_output(const Line& line, RegistrationLine& r) {
  require(line.has("output"), "antsRegistration: -o is wanted, a prefix of file names");
  const Value& value = line.values("output").back();
  require(value.name.empty() || !value.bracket,
          "-o " + value.text + ": PREFIX or [PREFIX,WARPED,INVERSE_WARPED] is wanted");
  r.prefix = value.bracket ? value.parameters[0] : value.name;
  if (value.parameters.size() > 1) r.warped = value.parameters[1];
  if (value.parameters.size() > 2) r.inverse_warped = value.parameters[2];
  for (const std::string& image : {r.warped, r.inverse_warped})
    require(image.empty() || io::is_nifti_name(image),
            "-o " + value.text + ": images are written as .nii or .nii.gz here, write " + image +
                ".nii.gz");
  r.save_state = line.last("save-state", "");
  r.restore_state = line.last("restore-state", "");
  r.composite = line.flag("write-composite-transform", "0");
  r.collapse = line.flag("collapse-output-transforms", "1");
  if (line.flag("initialize-transforms-per-stage", "0")) {
    require(r.composite && !r.collapse, "-i 1: needs -a 1 and -z 0");
    note("-i 1: every stage begins where the one before it ended, in any case");
  }
  require(r.save_state.empty() || r.composite, "-j: needs -a 1");
  require(r.restore_state.empty() ||
              (!line.has("initial-moving-transform") && !line.has("initial-fixed-transform")),
          "-k: excludes -r and -q");
}

void read_intensities(const Line& line, RegistrationLine& r) {
  r.match_histograms = line.flag_or_true("use-histogram-matching");
  if (!line.has("winsorize-image-intensities")) return;
  const Value& value = line.values("winsorize-image-intensities").back();
  require(value.parameters.size() == 2,
          "-w " + value.text + ": [LO,HI] is wanted, as [0.005,0.995]");
  for (std::size_t i = 0; i < 2; ++i) r.winsorize.at(i) = number("-w", value.parameters[i]);
  require(r.winsorize[0] >= 0 && r.winsorize[0] < r.winsorize[1] && r.winsorize[1] <= 1,
          "-w " + value.text + ": quantiles from 0 to 1, the lower one first, are wanted");
}

/// Notes about options that have little or no effect here.
void note_the_rest(const Line& line, const RegistrationLine& r) {
  require(!line.flag("minc", "0"), "--minc 1: MINC is not written here; convert the .nii.gz");
  if (line.has("use-estimate-learning-rate-once"))
    note("-l: ANTs has no such option any more, and it does nothing here");
  if (whole_number("-p", line.last("print-similarity-measure-interval", "0")) > 0)
    note("-p: -v 1 prints the metric of every iteration");
  if (whole_number("--write-interval-volumes", line.last("write-interval-volumes", "0")) > 0)
    note("--write-interval-volumes: no images are written during the work");
  const char* seed = std::getenv("ANTS_RANDOM_SEED");
  if (line.has("random-seed") || seed != nullptr) {
    whole_number("--random-seed", line.last("random-seed", seed != nullptr ? seed : "0"));
    if (r.verbose) note("--random-seed: nothing is random, every seed gives the same result");
  }
}

}  // namespace

const std::vector<OptionName>& registration_options() {
  static const std::vector<OptionName> options{{'d', "dimensionality"},
                                               {'o', "output"},
                                               {'j', "save-state"},
                                               {'k', "restore-state"},
                                               {'a', "write-composite-transform"},
                                               {'p', "print-similarity-measure-interval"},
                                               {0, "write-interval-volumes"},
                                               {'z', "collapse-output-transforms"},
                                               {'i', "initialize-transforms-per-stage"},
                                               {'n', "interpolation"},
                                               {'g', "restrict-deformation"},
                                               {'q', "initial-fixed-transform"},
                                               {'r', "initial-moving-transform"},
                                               {'m', "metric"},
                                               {'t', "transform"},
                                               {'c', "convergence"},
                                               {'s', "smoothing-sigmas"},
                                               {'f', "shrink-factors"},
                                               {'u', "use-histogram-matching"},
                                               {'l', "use-estimate-learning-rate-once"},
                                               {'w', "winsorize-image-intensities"},
                                               {'x', "masks"},
                                               {0, "float"},
                                               {0, "minc"},
                                               {0, "random-seed"},
                                               {'v', "verbose"}};
  return options;
}

RegistrationLine parse_registration(std::span<const std::string> words) {
  const Line line(words, registration_options());
  RegistrationLine r;
  require(line.has("dimensionality"), "antsRegistration: -d is wanted, 2 or 3");
  for (const Value& value : line.values("dimensionality"))
    r.dimension = whole_number("-d", value.text);
  require(r.dimension == 2 || r.dimension == 3,
          "-d " + std::to_string(r.dimension) + ": 2 or 3 is wanted; 4-D is not done here");
  r.verbose = line.flag("verbose", "0");
  r.single_precision = line.flag("float", "0");
  r.interpolation =
      line.has("interpolation") ? line.values("interpolation").back() : parse_value("Linear");
  r.initial_moving = line.values("initial-moving-transform");
  r.initial_fixed = line.values("initial-fixed-transform");
  read_output(line, r);
  read_intensities(line, r);
  read_stages(line, r);
  note_the_rest(line, r);
  return r;
}

}  // namespace ffdp::cli::ants
