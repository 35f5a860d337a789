// SPDX-License-Identifier: Apache-2.0
#include "cli/ants/state.hpp"

#include <algorithm>
#include <utility>

#include "ffdp/io/transform_file.hpp"
#include "ffdp/transforms/apply.hpp"

namespace ffdp::cli::ants {
namespace {

using Warp = std::shared_ptr<const DisplacementImage>;

/// Both warps in sequence; `first` is applied to a point first.
Warp composed(Context& ctx, const Warp& first, const Warp& second) {
  transforms::CompositeTransform both;
  both.append(first);
  both.append(second);
  return std::make_shared<const DisplacementImage>(transforms::compose(ctx, first->grid, both));
}

/// Joins the halves of a final SyN to one warp.
void join_halves(Context& ctx, Parts& parts) {
  constexpr std::size_t fields = 4;
  const auto is_warp = [](const Part& part) { return part.warp != nullptr; };
  if (parts.size() < fields || !std::all_of(parts.end() - fields, parts.end(), is_warp)) return;
  const auto h = parts.end() - fields;
  h->inverse = composed(ctx, h[2].warp, h[1].warp);
  h->warp = composed(ctx, h->warp, h[3].warp);
  parts.erase(h + 1, parts.end());
}

}  // namespace

Parts read_state(Context& ctx, const std::string& path) {
  Parts parts;
  const io::TransformFile file = io::read_transform(path);
  for (auto step = file.transforms.rbegin(); step != file.transforms.rend(); ++step) {
    Part part{"GenericAffine", {}, {}, {}, false};
    if (const Affine* affine = std::get_if<Affine>(&*step))
      part.affine = *affine;
    else
      part.warp = std::get<1>(*step);
    parts.push_back(std::move(part));
  }
  join_halves(ctx, parts);
  return parts;
}

void write_state(Context& ctx, const std::string& path, Parts parts, int dimension) {
  std::vector<io::Transform> steps;  // in the order in which a point meets them
  if (!parts.empty() && parts.back().warp && parts.back().has_inverse) {
    Part& last = parts.back();
    need_inverse(ctx, last);
    DisplacementImage none{last.warp->grid,
                           VectorField<float>(Backend::cpu, last.warp->grid.domain())};
    std::fill(none.data.begin(), none.data.end(), 0.0F);
    const auto identity = std::make_shared<const DisplacementImage>(std::move(none));
    steps = {last.warp, last.inverse, identity, identity};
    parts.pop_back();
  }
  const transforms::CompositeTransform before = chain_of(parts);
  steps.insert(steps.end(), before.steps().begin(), before.steps().end());
  io::write_composite(path, steps, dimension);
}

}  // namespace ffdp::cli::ants
