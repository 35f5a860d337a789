// SPDX-License-Identifier: Apache-2.0
#include "cli/ants/parts.hpp"

#include <utility>

#include "ffdp/transforms/apply.hpp"
#include "ffdp/transforms/invert.hpp"

namespace ffdp::cli::ants {
namespace {

constexpr double inverse_tolerance = 0.02;  // [voxels]

/// Both transforms in sequence; `second` is applied to a point first.
Part joined(Context& ctx, const Grid& grid, Part first, Part second) {
  if (!first.warp) {
    first.affine = first.affine * second.affine;
    first.written = true;
    return first;
  }
  transforms::CompositeTransform forward, backward;
  forward.append(second.warp);
  forward.append(first.warp);
  need_inverse(ctx, first);
  need_inverse(ctx, second);
  backward.append(first.inverse);
  backward.append(second.inverse);
  first.has_inverse = first.has_inverse && second.has_inverse;
  first.warp = std::make_shared<const DisplacementImage>(transforms::compose(ctx, grid, forward));
  first.inverse =
      std::make_shared<const DisplacementImage>(transforms::compose(ctx, grid, backward));
  return first;
}

}  // namespace

transforms::CompositeTransform chain_of(const Parts& parts) {
  transforms::CompositeTransform chain;
  for (auto part = parts.rbegin(); part != parts.rend(); ++part)
    if (part->warp)
      chain.append(part->warp);
    else
      chain.append(part->affine);
  return chain;
}

void need_inverse(Context& ctx, Part& part) {
  if (!part.warp || part.inverse) return;
  part.inverse = std::make_shared<const DisplacementImage>(
      transforms::invert_displacement(ctx, inverse_tolerance, *part.warp).image);
}

transforms::CompositeTransform inverse_chain_of(Context& ctx, Parts& parts) {
  transforms::CompositeTransform chain;
  for (Part& part : parts) {
    need_inverse(ctx, part);
    if (part.warp)
      chain.append(part.inverse);
    else
      chain.append(inverse(part.affine));
  }
  return chain;
}

std::unique_ptr<Affine> affine_of(const Parts& parts) {
  const auto chain = chain_of(parts);
  const Affine* affine = chain.as_affine();
  return affine != nullptr ? std::make_unique<Affine>(*affine) : nullptr;
}

Parts collapsed(Context& ctx, const Grid& grid, Parts parts) {
  Parts result;
  for (Part& part : parts) {
    part.type = part.warp ? "Warp" : "GenericAffine";
    part.written = true;
    if (!result.empty() && !result.back().warp == !part.warp)
      result.back() = joined(ctx, grid, std::move(result.back()), std::move(part));
    else
      result.push_back(std::move(part));
  }
  return result;
}

}  // namespace ffdp::cli::ants
