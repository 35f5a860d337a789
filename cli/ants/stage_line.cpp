// SPDX-License-Identifier: Apache-2.0
// One stage of antsRegistration: its transform and its metrics.
#include <algorithm>
#include <map>

#include "cli/ants/registration_line.hpp"

#include "ffdp/core/error.hpp"

namespace ffdp::cli::ants {
namespace {

using registration::MetricKind;

struct TransformName {
  const char* name;
  TransformKind kind;
  bool spline;
};

/// ANTs' names and its short ones.
const std::map<std::string, TransformName> transforms{
    {"translation", {"Translation", TransformKind::translation, false}},
    {"rigid", {"Rigid", TransformKind::rigid, false}},
    {"similarity", {"Similarity", TransformKind::similarity, false}},
    {"affine", {"Affine", TransformKind::affine, false}},
    {"compositeaffine", {"Affine", TransformKind::affine, false}},
    {"compaff", {"Affine", TransformKind::affine, false}},
    {"syn", {"SyN", TransformKind::symmetric, false}},
    {"symmetricnormalization", {"SyN", TransformKind::symmetric, false}},
    {"bsplinesyn", {"BSplineSyN", TransformKind::symmetric, true}},
    {"gaussiandisplacementfield", {"GaussianDisplacementField", TransformKind::greedy, false}},
    {"gdf", {"GaussianDisplacementField", TransformKind::greedy, false}},
    {"bsplinedisplacementfield", {"BSplineDisplacementField", TransformKind::greedy, true}},
    {"dmffd", {"BSplineDisplacementField", TransformKind::greedy, true}},
    {"exponential", {"Exponential", TransformKind::greedy, false}},
    {"exp", {"Exponential", TransformKind::greedy, false}},
    {"bsplineexponential", {"BSplineExponential", TransformKind::greedy, true}}};

const std::map<std::string, std::string> refused_transforms{
    {"bspline", "BSplineSyN[0.1,26,0,3]"},
    {"ffd", "BSplineSyN[0.1,26,0,3]"},
    {"timevaryingvelocityfield", "SyN[0.1,3,0]"},
    {"tvf", "SyN[0.1,3,0]"},
    {"timevaryingbsplinevelocityfield", "BSplineSyN[0.1,26,0,3]"},
    {"tvdmffd", "BSplineSyN[0.1,26,0,3]"}};

const std::map<std::string, MetricKind> metrics{
    {"cc", MetricKind::lncc},         {"mi", MetricKind::mi},   {"mattes", MetricKind::mi},
    {"meansquares", MetricKind::mse}, {"msq", MetricKind::mse}, {"ssd", MetricKind::mse},
    {"demons", MetricKind::mse},      {"gc", MetricKind::gc}};

const std::map<std::string, std::string> refused_metrics{
    {"mi2", "MI[fixed,moving,1,32]"},
    {"icp", "CC or MI of the images that the points came from"},
    {"pse", "CC or MI of the images that the points came from"},
    {"jhct", "CC or MI of the images that the points came from"},
    {"igdm", "CC[fixed,moving,1,4]"}};

/// The meaning of a name; throws if it is refused or unknown.
/// @param wanted  the names that are known, in words
template <class T>
const T& named(const std::string& option, const Value& value, const std::map<std::string, T>& known,
               const std::map<std::string, std::string>& refused, const std::string& wanted) {
  const std::string name = lower(value.name), said = option + " " + value.text;
  if (const auto instead = refused.find(name); instead != refused.end())
    throw InvalidArgument(said + ": not done here; use " + instead->second);
  const auto found = known.find(name);
  require(found != known.end(), said + ": unknown, one of " + wanted + " is wanted");
  return found->second;
}

/// The n-th parameter; `otherwise` if it is missing or empty.
std::string parameter(const Value& value, std::size_t n, const std::string& otherwise) {
  return n < value.parameters.size() && !value.parameters[n].empty() ? value.parameters[n]
                                                                     : otherwise;
}

/// A distance of knots [mm], or with several numbers how many elements a mesh has along each axis.
SplineMesh mesh(const Value& value, std::size_t n) {
  SplineMesh result;
  const auto given = numbers("-t " + value.text, parameter(value, n, "0"));
  if (given.size() == 1)
    result.distance = given[0];
  else if (std::ranges::any_of(given, [](double count) { return count != 0; }))
    result.elements = given;
  require(result.distance >= 0 &&
              std::ranges::all_of(result.elements, [](double count) { return count >= 1; }),
          "-t " + value.text +
              ": a distance of knots [mm], as 26, or how many elements a mesh has "
              "along each axis, as 8x10x8, is wanted");
  return result;
}

/// Update and warp of a stage of B-splines.
void parse_meshes(const Value& value, StageLine& stage) {
  const std::string said = "-t " + value.text;
  require(value.parameters.size() > 1,
          said + ": the distance of the knots is wanted, as " + stage.name + "[0.1,26,0,3]");
  stage.update_mesh = mesh(value, 1);
  stage.warp_mesh = mesh(value, 2);
  const std::size_t order = stage.name == "BSplineExponential" ? 4 : 3;
  require(parameter(value, order, "3") == "3",
          said + ": splines are of order 3 here; write 3 as the last number or leave it out");
}

void check_percentage(const Value& value) {
  const std::string strategy = lower(parameter(value, 4, "none"));
  require(strategy == "none" || strategy == "regular" || strategy == "random",
          "-m " + value.text + ": the fifth parameter is None, Regular or Random");
  const std::string text = parameter(value, 5, "1");
  const double share = number("-m " + value.text, text);
  require(share >= 0 && share <= 1,
          "-m " + value.text + ": the share of the voxels is 0 to 1, got " + text);
}

}  // namespace

StageLine parse_transform(const Value& value) {
  const TransformName& transform =
      named("-t", value, transforms, refused_transforms,
            "Translation, Rigid, Similarity, Affine, CompositeAffine, SyN, BSplineSyN, "
            "GaussianDisplacementField, BSplineDisplacementField and Exponential");
  require(value.bracket, "-t " + value.text + ": the step is wanted, as " + value.text + "[0.1]");
  StageLine stage;
  stage.name = transform.name;
  stage.kind = transform.kind;
  const double step = number("-t " + value.text, parameter(value, 0, ""));
  require(step > 0, "-t " + value.text + ": the step is more than 0, as 0.1");
  if (is_linear(stage.kind)) return stage;
  if (transform.spline) {
    parse_meshes(value, stage);
    return stage;
  }
  const bool exponential = stage.name == "Exponential";
  stage.update_variance = number("-t " + value.text, parameter(value, 1, "3"));
  stage.warp_variance = number("-t " + value.text, parameter(value, 2, exponential ? "0.5" : "0"));
  require(stage.update_variance >= 0 && stage.warp_variance >= 0,
          "-t " + value.text + ": variances are not negative");
  return stage;
}

MetricLine parse_metric(const Value& value) {
  const MetricKind kind =
      named("-m", value, metrics, refused_metrics, "CC, MI, Mattes, MeanSquares, Demons and GC");
  const std::string name = lower(value.name);
  require(
      value.parameters.size() >= 2 && !value.parameters[0].empty() && !value.parameters[1].empty(),
      "-m " + value.text + ": a fixed and a moving image are wanted, as " + value.name +
          "[fixed.nii.gz,moving.nii.gz,1,4]");
  MetricLine metric;
  metric.fixed = value.parameters[0];
  metric.moving = value.parameters[1];
  metric.config.kind = kind;
  metric.config.weight = number("-m " + value.text, parameter(value, 2, "1"));
  require(metric.config.weight >= 0, "-m " + value.text + ": the weight is not negative");
  check_percentage(value);
  if (kind == MetricKind::lncc) {
    metric.config.radius = whole_number("-m " + value.text, parameter(value, 3, "4"));
    require(metric.config.radius >= 1 && metric.config.radius <= 32,
            "-m " + value.text + ": the radius of CC is 1 to 32 voxels");
  } else if (name == "mi" || name == "mattes") {
    const int bins = whole_number("-m " + value.text, parameter(value, 3, "32"));
    metric.config.bins = std::clamp(bins, 10, 128);
    if (bins != metric.config.bins)
      note("-m " + value.text + ": " + std::to_string(metric.config.bins) + " bins are used");
  }
  return metric;
}

}  // namespace ffdp::cli::ants
