// SPDX-License-Identifier: Apache-2.0
#include "cli/ants/interpolator.hpp"

#include <map>
#include <optional>

#include "ffdp/core/error.hpp"

namespace ffdp::cli::ants {
namespace {

using transforms::Interpolation;
using transforms::Kernel;
using transforms::Window;

std::optional<Window> window_of(const std::string& name) {
  const std::map<std::string, Window> windows{{"hammingwindowedsinc", Window::hamming},
                                              {"cosinewindowedsinc", Window::cosine},
                                              {"welchwindowedsinc", Window::welch},
                                              {"lanczoswindowedsinc", Window::lanczos}};
  const auto found = windows.find(name);
  return found == windows.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace

Interpolator::Interpolator(const Value& value) {
  const std::string name = lower(value.name);
  const auto& p = value.parameters;
  const auto given = [&](std::size_t i) { return i < p.size() && !p[i].empty(); };
  if (name == "linear") {
    kind_ = Interpolation::linear;
  } else if (name == "nearestneighbor") {
    kind_ = Interpolation::nearest;
  } else if (name == "genericlabel") {
    kind_ = Interpolation::label;
  } else if (name == "bspline") {
    kernel_.order = given(0) ? whole_number("-n BSpline", p[0]) : 3;
    require(kernel_.order >= 0 && kernel_.order <= 5,
            "-n " + value.text + ": the order of a B-spline is 0 to 5");
    kind_ = kernel_.order == 3 ? Interpolation::bspline : Interpolation::kernel;
  } else if (name == "gaussian" || name == "multilabel") {
    kernel_.kind = Kernel::Kind::gaussian;
    kernel_.alpha = 4;
    kind_ = name == "gaussian" ? Interpolation::kernel : Interpolation::kernel_label;
    if (name == "gaussian") kernel_.alpha = given(1) ? number("-n Gaussian", p[1]) : 1;
    if (given(0)) sigma_ = numbers("-n " + value.name, p[0]);
  } else if (const auto window = window_of(name)) {
    kernel_.kind = Kernel::Kind::sinc;
    kernel_.window = *window;
    kind_ = Interpolation::kernel;
  } else {
    throw InvalidArgument("-n " + value.text +
                          ": unknown, one of Linear, NearestNeighbor, MultiLabel[sigma], "
                          "Gaussian[sigma,alpha], BSpline[order], CosineWindowedSinc, "
                          "WelchWindowedSinc, HammingWindowedSinc, LanczosWindowedSinc and "
                          "GenericLabel is wanted");
  }
}

bool Interpolator::keeps_labels() const {
  return kind_ == Interpolation::nearest || kind_ == Interpolation::label ||
         kind_ == Interpolation::kernel_label;
}

transforms::ApplyParams Interpolator::params(const Grid& moving, double fill) const {
  transforms::ApplyParams result{.interpolation = kind_, .fill = fill, .kernel = kernel_};
  if (kernel_.kind != Kernel::Kind::gaussian || sigma_.empty()) return result;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const double sigma = sigma_.size() == 1 ? sigma_[0] : axis < sigma_.size() ? sigma_[axis] : 1;
    require(sigma > 0, "-n: sigma is " + std::to_string(sigma) + ", more than 0 is wanted");
    result.kernel.sigma[2 - axis] = sigma / moving.spacing[axis];
  }
  return result;
}

}  // namespace ffdp::cli::ants
