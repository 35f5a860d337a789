// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "ffdp/core/context.hpp"
#include "ffdp/core/field.hpp"
#include "ffdp/dist/fetch.hpp"

namespace ffdp::registration {

/// The planes of a warped image around those that a rank owns. Their owners sample them and send
/// them: to sample them here as well would take longer, and the warp and the moving image would be
/// needed there.
class WarpedRims {
 public:
  WarpedRims() = default;
  /// Collective.
  /// @param cut     of the fixed image
  /// @param planes  how many around are needed
  WarpedRims(const Context& ctx, dist::Comm& comm, const dist::Cut& cut, int planes);

  /// Writes the warped image over a box that this rank owns.
  using Sample = std::function<void(const Box& box, View<float> warped)>;
  /// Samples what other ranks need, and starts to send it. Collective.
  void start(const Context& ctx, const Sample& sample);
  /// The warped image over `box`: what start() has sampled, what has come from other ranks, and,
  /// while that travels, what is sampled now.
  void fill(const Context& ctx, const Box& box, const Sample& sample, View<float> warped);

 private:
  void finish();

  int low_ = 0, high_ = 0;  ///< planes between are sampled by fill()
  Box own_;
  Field<float> below_, above_;  ///< planes on both sides of the first and of the last own one
  std::optional<dist::Fetch> to_below_, to_above_;
  std::vector<dist::Fetch::Transfer> coming_;
};

}  // namespace ffdp::registration
