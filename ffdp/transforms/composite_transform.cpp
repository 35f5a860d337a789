// SPDX-License-Identifier: Apache-2.0
#include "ffdp/transforms/composite_transform.hpp"

#include <utility>

#include "ffdp/core/error.hpp"
#include "ffdp/core/parallel.hpp"
#include "ffdp/ops/points/points.hpp"

namespace ffdp::transforms {
namespace {

void map_affine(const Context& ctx, const Affine& affine, std::span<Vec3> points) {
  parallel_for_many(ctx, points.size(), [&](std::size_t i) { points[i] = affine(points[i]); });
}

void map_displacement(Context& ctx, const DisplacementImage& d, std::span<Vec3> points) {
  const Affine to_index = d.grid.to_index();
  std::vector<Vec3> indices(points.size()), vectors(points.size());
  parallel_for_many(ctx, points.size(), [&](std::size_t i) { indices[i] = to_index(points[i]); });
  points::sample_vectors(ctx, d.grid.domain(), d.data.view(), indices, vectors);
  parallel_for_many(ctx, points.size(), [&](std::size_t i) {
    for (std::size_t c = 0; c < 3; ++c) points[i][c] += vectors[i][c];
  });
}

}  // namespace

void CompositeTransform::append(const Affine& affine) {
  if (!steps_.empty())
    if (Affine* last = std::get_if<Affine>(&steps_.back())) {
      *last = affine * *last;
      return;
    }
  steps_.emplace_back(affine);
}

void CompositeTransform::append(std::shared_ptr<const DisplacementImage> displacement) {
  require(displacement != nullptr, "transform: null displacement");
  steps_.emplace_back(std::move(displacement));
}

void CompositeTransform::append(const Step& step) {
  std::visit([this](const auto& s) { append(s); }, step);
}

void CompositeTransform::append(const CompositeTransform& other) {
  for (const Step& step : std::vector<Step>(other.steps_)) append(step);
}

const Affine* CompositeTransform::as_affine() const {
  static const Affine identity;
  if (steps_.empty()) return &identity;
  return steps_.size() == 1 ? std::get_if<Affine>(&steps_[0]) : nullptr;
}

void CompositeTransform::map(Context& ctx, std::span<Vec3> points) const {
  for (const Step& step : steps_) {
    if (const Affine* affine = std::get_if<Affine>(&step))
      map_affine(ctx, *affine, points);
    else
      map_displacement(ctx, *std::get<1>(step), points);
  }
}

CompositeTransform inverse(Context& ctx, const CompositeTransform& transform,
                           const DisplacementInverter& inverter) {
  CompositeTransform result;
  for (auto step = transform.steps().rbegin(); step != transform.steps().rend(); ++step) {
    if (const Affine* affine = std::get_if<Affine>(&*step)) {
      result.append(ffdp::inverse(*affine));
      continue;
    }
    if (!inverter) throw NotBuilt("transform: inverting a displacement is not built in");
    result.append(std::make_shared<const DisplacementImage>(inverter(ctx, *std::get<1>(*step))));
  }
  return result;
}

}  // namespace ffdp::transforms
