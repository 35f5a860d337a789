// SPDX-License-Identifier: Apache-2.0
#include "ffdp/transforms/chain_source.hpp"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "ffdp/dist/fetch.hpp"
#include "ffdp/ops/points/points.hpp"
#include "ffdp/ops/vectors/vectors.hpp"

namespace ffdp::transforms {
namespace {

constexpr points::Params linear{points::Mode::linear, 0};

}  // namespace

FieldSource source_of_shards(dist::Comm& comm,
                             const std::shared_ptr<const DisplacementImage>& own) {
  const dist::Cut cut(comm, own->grid.domain());
  return {own->grid, [&comm, cut, own](const Box& box) {
            if (cut.whole()) return own;
            return std::make_shared<const DisplacementImage>(
                DisplacementImage{own->grid, dist::fetched(Context(), comm, cut, own->data, box)});
          }};
}

Bounds::Bounds(const Grid& grid, const Box& box)
    : empty_(box.empty()), map_(grid.to_world()), box_(box) {}

void Bounds::pass(const Affine& affine) {
  map_ = affine * map_;
  Vec3 lo{}, hi{};
  for (int c = 0; c < 3; ++c)
    for (int k = 0; k < 3; ++k) add_range(lo[c], hi[c], affine.linear[c][k], least_[k], most_[k]);
  least_ = lo;
  most_ = hi;
}

/// Vectors interpolated in the field, or outside it, lie between 0 and the largest that it holds.
void Bounds::pass(Context& ctx, const DisplacementImage& field) {
  if (field.data.empty()) return;
  constexpr double endless = 1e30;  // [mm], for marks of missing vectors, infinite ones among them
  const vectors::Extent extent = vectors::extent(ctx, field.data.stored(), field.data);
  for (int c = 0; c < 3; ++c) {
    least_[c] += std::clamp(static_cast<double>(extent.lo[c]), -endless, 0.0);
    most_[c] += std::clamp(static_cast<double>(extent.hi[c]), 0.0, endless);
  }
}

Box Bounds::voxels(const Grid& grid, int halo) const {
  constexpr double slack = 0.01;  // for rounding [voxels]
  Box result{};
  if (empty_) return result;
  const Affine to_index = grid.to_index(), map = to_index * map_;
  for (int c = 0; c < 3; ++c) {
    double lo = map.translation[c], hi = lo;
    for (int k = 0; k < 3; ++k) {
      add_range(lo, hi, map.linear[c][k], box_.lo[k], box_.hi[k] - 1);
      add_range(lo, hi, to_index.linear[c][k], least_[k], most_[k]);
    }
    const double size = grid.size[c];
    result.lo[c] = static_cast<int>(std::clamp(std::floor(lo - slack) - halo + 1, 0.0, size));
    result.hi[c] = static_cast<int>(std::clamp(std::floor(hi + slack) + halo + 1, 0.0, size));
  }
  return result.empty() ? Box{} : result;
}

ChainSource::ChainSource(const CompositeTransform& chain) {
  for (const CompositeTransform::Step& step : chain.steps()) {
    if (const auto* affine = std::get_if<Affine>(&step)) {
      append(*affine);
      continue;
    }
    auto field = std::get<1>(step);
    append(FieldSource{field->grid, [field](const Box&) { return field; }});
  }
}

void ChainSource::append(const ChainSource& other) {
  steps_.insert(steps_.end(), other.steps_.begin(), other.steps_.end());
}

const FieldSource* ChainSource::first_field() const {
  for (const Step& step : steps_)
    if (const auto* field = std::get_if<FieldSource>(&step)) return field;
  return nullptr;
}

ChainSource::Reaching ChainSource::reaching(Context& ctx, const Grid& grid, const Box& box) const {
  Reaching result{{}, Bounds(grid, box)};
  for (const Step& step : steps_) {
    if (const auto* affine = std::get_if<Affine>(&step)) {
      result.chain.append(*affine);
      result.bounds.pass(*affine);
      continue;
    }
    const auto& source = std::get<FieldSource>(step);
    const auto field = source.read(result.bounds.voxels(source.grid, points::halo(linear.mode)));
    result.chain.append(field);
    result.bounds.pass(ctx, *field);
  }
  return result;
}

CompositeTransform ChainSource::gathered(const dist::Comm& comm) const {
  CompositeTransform result;
  for (const Step& step : steps_) {
    if (const auto* affine = std::get_if<Affine>(&step))
      result.append(*affine);
    else {
      const auto& source = std::get<FieldSource>(step);
      result.append(source.read(comm.rank() == 0 ? source.grid.domain() : Box{}));
    }
  }
  return result;
}

void ChainSource::map(Context& ctx, dist::Comm& comm, std::vector<Vec3>& points) const {
  const auto share = [&](int rank) {
    return points.size() * static_cast<std::size_t>(rank) / static_cast<std::size_t>(comm.size());
  };
  const std::size_t first = share(comm.rank()), end = share(comm.rank() + 1);
  const std::span<Vec3> mine(points.data() + first, end - first);
  std::vector<Vec3> indices(mine.size());
  for (const Step& step : steps_) {
    CompositeTransform one;
    if (const auto* affine = std::get_if<Affine>(&step)) {
      one.append(*affine);
    } else {
      const auto& source = std::get<FieldSource>(step);
      std::ranges::transform(mine, indices.begin(), source.grid.to_index());
      one.append(source.read(points::reach(linear, source.grid.domain(), indices)));
    }
    one.map(ctx, mine);
  }
  points = comm.all_gather_lists(std::span<const Vec3>(mine));
}

}  // namespace ffdp::transforms
