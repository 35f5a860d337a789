// SPDX-License-Identifier: Apache-2.0
#include "cli/sizes.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "ffdp/core/error.hpp"

namespace ffdp::cli {
namespace {

/// One or three positive numbers, x, y, z, as 160x192x224.
std::array<double, 3> three_numbers(const std::string& option, const std::string& text) {
  std::vector<double> values;
  const std::string said = option + " " + text;
  std::string rest = text;
  std::replace(rest.begin(), rest.end(), ',', 'x');
  for (std::size_t start = 0; start <= rest.size();) {
    const std::size_t end = std::min(rest.find('x', start), rest.size());
    std::size_t used = 0;
    double value = 0;
    try {
      value = std::stod(rest.substr(start, end - start), &used);
    } catch (const std::exception&) {
      used = 0;
    }
    if (used == 0 || used != end - start || !(value > 0))
      throw InvalidArgument(said + ", must be one or three positive numbers such as 160x192x160");
    values.push_back(value);
    start = end + 1;
  }
  if (values.size() == 1) return {values[0], values[0], values[0]};
  if (values.size() != 3)
    throw InvalidArgument(said + " has " + std::to_string(values.size()) +
                          " numbers, must have one or three");
  return {values[0], values[1], values[2]};
}

}  // namespace

Grid centred_grid(const std::string& size_text, const std::string& spacing_text) {
  const auto size = three_numbers("--size", size_text);
  const auto spacing = three_numbers("--spacing", spacing_text);
  Grid grid;
  for (int axis = 0; axis < 3; ++axis) {
    if (size[axis] != std::floor(size[axis]) || size[axis] > 1e6)
      throw InvalidArgument("--size " + size_text + ", must be whole numbers");
    grid.size[2 - axis] = static_cast<int>(size[axis]);
    grid.spacing[axis] = spacing[axis];
  }
  const Vec3 centre = grid.centre();
  for (int c = 0; c < 3; ++c) grid.origin[c] -= centre[c];
  return grid;
}

}  // namespace ffdp::cli
