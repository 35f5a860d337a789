// SPDX-License-Identifier: Apache-2.0
#include "cli/recipe.hpp"

#include <nlohmann/json.hpp>

#include "ffdp/core/error.hpp"

namespace ffdp::lncc {
NLOHMANN_JSON_SERIALIZE_ENUM(Window, {{Window::box, "box"},
                                      {Window::gaussian, "gaussian"},
                                      {Window::zero_padded_box, "zero_padded_box"}})
}
namespace ffdp::mi {
NLOHMANN_JSON_SERIALIZE_ENUM(Parzen, {{Parzen::mattes, "mattes"},
                                      {Parzen::cubic, "cubic"},
                                      {Parzen::gaussian, "gaussian"}})
NLOHMANN_JSON_SERIALIZE_ENUM(Measure, {{Measure::mutual_information, "mutual_information"},
                                       {Measure::normalized, "normalized"}})
}  // namespace ffdp::mi
namespace ffdp::descent {
NLOHMANN_JSON_SERIALIZE_ENUM(SecondMoment,
                             {{SecondMoment::vector, "vector"}, {SecondMoment::element, "element"}})
}
namespace ffdp::registration {
NLOHMANN_JSON_SERIALIZE_ENUM(MetricKind, {{MetricKind::lncc, "lncc"},
                                          {MetricKind::mi, "mi"},
                                          {MetricKind::mse, "mse"},
                                          {MetricKind::gc, "gc"}})
NLOHMANN_JSON_SERIALIZE_ENUM(Initialization,
                             {{Initialization::automatic, "automatic"},
                              {Initialization::identity, "identity"},
                              {Initialization::geometric_centre, "geometric_centre"},
                              {Initialization::centre_of_mass, "centre_of_mass"},
                              {Initialization::origin, "origin"},
                              {Initialization::moments, "moments"}})
NLOHMANN_JSON_SERIALIZE_ENUM(LinearKind, {{LinearKind::translation, "translation"},
                                          {LinearKind::rigid, "rigid"},
                                          {LinearKind::similarity, "similarity"},
                                          {LinearKind::affine, "affine"}})
NLOHMANN_JSON_SERIALIZE_ENUM(Optimizer,
                             {{Optimizer::adam, "adam"}, {Optimizer::gradient, "gradient"}})
NLOHMANN_JSON_SERIALIZE_ENUM(MemoryMode, {{MemoryMode::automatic, "automatic"},
                                          {MemoryMode::standard, "standard"},
                                          {MemoryMode::compact, "compact"}})
NLOHMANN_JSON_SERIALIZE_ENUM(MovingAccess, {{MovingAccess::automatic, "automatic"},
                                            {MovingAccess::replicate, "replicate"},
                                            {MovingAccess::fetch, "fetch"},
                                            {MovingAccess::ring, "ring"}})
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(MetricConfig, kind, weight, image_pair, window,
                                                radius, coarse_radii, sigma, floor, bins, parzen,
                                                measure)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(LinearStage, kind, metric, resolutions, iterations,
                                                most_voxels, tolerance, further, restriction)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Gentle, full, none, sigma_update, sigma_warp,
                                                across, update_fall, damping)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(DeformableStage, metrics, shrink, iterations,
                                                optimizer, second_moment, beta1, beta2, epsilon,
                                                step, sigma_update, sigma_warp, widening, damping,
                                                gentle, update_fall, warp_fall, knots_update,
                                                knots_warp, restriction)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Config, preset, initialization, linear, deformable,
                                                winsorize_lo, winsorize_hi, match_histograms,
                                                symmetric, refine, inverse_tolerance, memory,
                                                moving_access, seed)
}  // namespace ffdp::registration

namespace ffdp::cli {
namespace {

using nlohmann::json;

/// Checks that every setting of `given` is one that `known` has, with the same type of value. Words
/// are compared after a round trip, because an unknown word becomes the first of its enumeration.
void check(const json& given, const json& known, const std::string& path,
           const std::string& source) {
  const auto fail = [&](const std::string& what) {
    throw InvalidArgument(source + ": " + path + ": " + what);
  };
  if (given.is_object()) {
    if (!known.is_object()) fail("a group of settings where a value is wanted");
    for (const auto& [key, value] : given.items()) {
      if (!known.contains(key)) fail(std::string("there is no such setting: ").append(key));
      std::string inner = path;
      inner.append("/").append(key);
      check(value, known.at(key), inner, source);
    }
  } else if (given.is_array()) {
    if (!known.is_array() || known.size() != given.size()) fail("a list is not wanted");
    for (std::size_t i = 0; i < given.size(); ++i)
      check(given[i], known[i], path + "/" + std::to_string(i), source);
  } else if (given.is_string() && given != known) {
    fail("\"" + given.get<std::string>() + "\" is not one of its words");
  }
}

}  // namespace

json to_json(const registration::Config& config) { return json(config); }

registration::Config from_json(const registration::Config& config, const json& recipe,
                               const std::string& source) {
  if (!recipe.is_object()) throw InvalidArgument(source + ": an object of settings is wanted");
  json merged = to_json(config);
  for (const auto& [key, value] : recipe.items()) merged[key] = value;
  try {
    const auto result = merged.get<registration::Config>();
    check(merged, to_json(result), "", source);
    return result;
  } catch (const json::exception& error) {
    throw InvalidArgument(source + ": " + error.what());
  }
}

registration::Config with_setting(const registration::Config& config, const std::string& setting) {
  const auto equals = setting.find('=');
  require(equals != std::string::npos && equals > 0,
          "--set: got \"" + setting + "\", PATH=VALUE is wanted, as deformable/0/step=0.4");
  const std::string path = setting.substr(0, equals), text = setting.substr(equals + 1);
  json recipe = to_json(config);
  try {
    const json::json_pointer pointer((path.front() == '/' ? "" : "/") + path);
    require(recipe.contains(pointer), "--set: there is no setting " + path);
    json value = json::parse(text, nullptr, false);
    if (value.is_discarded()) value = text;
    recipe[pointer] = value;
  } catch (const json::exception&) {  // a list by a word, "~" in a path
    throw InvalidArgument("--set: there is no setting " + path);
  }
  return from_json(config, recipe, "--set");
}

}  // namespace ffdp::cli
