// SPDX-License-Identifier: Apache-2.0
#include "cli/ants/initial.hpp"

#include <algorithm>
#include <cmath>
#include <memory>

#include "cli/ants/chain.hpp"

#include "ffdp/core/error.hpp"
#include "ffdp/io/nifti.hpp"

namespace ffdp::cli::ants {
namespace {

/// Centre of mass of the intensities as they are [mm].
Vec3 centre_of_mass(const std::string& path) {
  const Image<float> image = io::read_image<float>(path);
  const View<const float> view = image.data.view();
  const Int3 size = image.grid.size;
  double mass = 0;
  Vec3 moment{};
  for (int z = 0; z < size[0]; ++z)
    for (int y = 0; y < size[1]; ++y) {
      double row = 0, along = 0;
      for (int x = 0; x < size[2]; ++x) {
        const double value = view(z, y, x);
        if (!std::isfinite(value)) continue;
        row += value;
        along += x * value;
      }
      mass += row;
      moment[0] += z * row;
      moment[1] += y * row;
      moment[2] += along;
    }
  require(mass != 0, path +
                         ": the intensities add up to 0, so there is no centre of mass; write "
                         "feature 0, the centre of the image");
  for (double& m : moment) m /= mass;
  return image.grid.to_world()(moment);
}

Part shift_between(const std::string& option, const Value& value) {
  const auto& p = value.parameters;
  const int feature = whole_number(option, p[2]);
  require(
      feature >= 0 && feature <= 2,
      option + " " + value.text + ": the feature is 0 (centre), 1 (centre of mass) or 2 (origin)");
  const auto place = [&](const std::string& path) {
    if (feature == 1) return centre_of_mass(path);
    const Grid grid = io::read_info(path).grid;
    return feature == 0 ? grid.centre() : grid.origin;
  };
  const Vec3 fixed = place(p[0]), moving = place(p[1]);
  Part part{"DerivedInitialMovingTranslation", {}, {}, {}};
  for (std::size_t i = 0; i < 3; ++i) part.affine.translation[i] = moving[i] - fixed[i];
  return part;
}

}  // namespace

Parts read_initial(Context& ctx, const std::string& option, const std::vector<Value>& values) {
  Parts parts;
  for (const Value& value : values) {
    if (value.parameters.size() == 3) {
      parts.push_back(shift_between(option, value));
      continue;
    }
    const Chain chain = read_chain(ctx, option, {value});
    if (chain.is_identity()) parts.push_back({"GenericAffine", {}, {}, {}, false});
    for (const auto& step : chain.steps()) {
      Part part{"GenericAffine", {}, {}, {}, false};
      if (const Affine* affine = std::get_if<Affine>(&step))
        part.affine = *affine;
      else
        part.warp = std::get<1>(step);
      parts.push_back(std::move(part));
    }
  }
  std::ranges::reverse(parts);  // a point meets the first of the line first
  return parts;
}

}  // namespace ffdp::cli::ants
