// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cli/report/pictures.hpp"
#include "cli/report/sources.hpp"

#include "ffdp/core/context.hpp"

namespace ffdp::cli::report {

/// The intensities that become black and white [intensity].
struct Window {
  double lo = 0, hi = 1;
};

/// The 0.5 and 99.5 % quantiles of the finite values of all lists together.
Window window_of(const std::vector<const std::vector<double>*>& lists);

/// Values as 8 bits: 0 for no value, else 1 (lo or below) to 255 (hi or above).
std::vector<std::uint8_t> grey_of(const std::vector<double>& values, const Window& window);

/// The layers of the pictures, each with one base64 PNG per picture: images, labels, logarithm of
/// the Jacobian determinant, inverse consistency. docs/report.md describes the codes.
nlohmann::json layers(Context& ctx, const Sources& sources, const std::vector<Picture>& pictures,
                      const std::vector<Vec3>& points);

}  // namespace ffdp::cli::report
