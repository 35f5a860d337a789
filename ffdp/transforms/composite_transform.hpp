// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <variant>
#include <vector>

#include "ffdp/core/context.hpp"
#include "ffdp/core/image.hpp"

namespace ffdp::transforms {

/// A chain of transforms in LPS mm, from points of the fixed image to points of the moving one.
/// Adjacent affines are merged. A displacement is zero outside its field, as in ITK.
class CompositeTransform {
 public:
  using Step = std::variant<Affine, std::shared_ptr<const DisplacementImage>>;

  /// Appends a step that is applied to a point after all earlier ones.
  void append(const Affine& affine);
  void append(std::shared_ptr<const DisplacementImage> displacement);
  void append(const Step& step);
  void append(const CompositeTransform& other);

  const std::vector<Step>& steps() const { return steps_; }
  bool is_identity() const { return steps_.empty(); }
  /// The chain as one affine; null if it contains a displacement.
  const Affine* as_affine() const;

  /// Maps points [mm] in place.
  void map(Context& ctx, std::span<Vec3> points) const;

 private:
  std::vector<Step> steps_;
};

/// Computes the displacement of the inverse map on the same grid.
using DisplacementInverter =
    std::function<DisplacementImage(Context& ctx, const DisplacementImage& displacement)>;

/// The inverse chain. Throws InvalidArgument, which names the determinant, for a singular affine,
/// and NotBuilt if the chain contains a displacement and `inverter` is empty.
CompositeTransform inverse(Context& ctx, const CompositeTransform& transform,
                           const DisplacementInverter& inverter);

}  // namespace ffdp::transforms
