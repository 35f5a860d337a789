// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "ffdp/core/context.hpp"
#include "ffdp/core/field.hpp"
#include "ffdp/dist/fetch.hpp"

namespace ffdp::registration {

/// The planes of a warped image around those that a rank owns. Their owners sample and send them.
/// Sampling them on this rank would take longer and would need the warp and the moving image there.
class WarpedRims {
 public:
  WarpedRims() = default;
  /// Collective.
  /// @param cut     of the fixed image
  /// @param planes  how many are needed on each side
  WarpedRims(const Context& ctx, dist::Comm& comm, const dist::Cut& cut, int planes);

  /// Writes the warped image over a box that this rank owns.
  using Sample = std::function<void(const Box& box, View<float> warped)>;
  /// Samples the planes that other ranks need, and starts to send them. Collective.
  void start(const Context& ctx, const Sample& sample);
  /// Writes the warped image over `box`: planes that start() has sampled, planes from other ranks,
  /// and, while these travel, planes that are sampled now.
  void fill(const Context& ctx, const Box& box, const Sample& sample, View<float> warped);

 private:
  void finish();

  int low_ = 0, high_ = 0;  ///< fill() samples the planes between
  Box own_;
  Field<float> below_, above_;  ///< planes on both sides of the first and of the last own one
  std::optional<dist::Fetch> to_below_, to_above_;
  std::vector<dist::Fetch::Transfer> coming_;
};

}  // namespace ffdp::registration
