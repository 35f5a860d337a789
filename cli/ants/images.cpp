// SPDX-License-Identifier: Apache-2.0
#include "cli/ants/images.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "cli/chain_files.hpp"
#include "cli/common.hpp"

#include "ffdp/core/copy.hpp"
#include "ffdp/core/error.hpp"
#include "ffdp/transforms/apply.hpp"

namespace ffdp::cli::ants {
namespace {

Image<float> copy_of(const Context& ctx, const Image<float>& image) {
  return {image.grid, copy_to(ctx, Backend::cpu, image.data)};
}

/// The image on another grid; NaN outside the image.
Image<float> resampled(Context& ctx, const Image<float>& image, const Grid& grid,
                       const transforms::CompositeTransform& chain) {
  Image<float> result{grid, Field<float>(Backend::cpu, grid.domain())};
  float* to = result.data.begin();
  transforms::apply<float>(ctx, {.fill = std::numeric_limits<double>::quiet_NaN()}, grid, chain,
                           image, [&](std::span<const double> values) {
                             for (const double value : values) *to++ = static_cast<float>(value);
                           });
  return result;
}

}  // namespace

const Image<float>& Images::at(const std::string& path) {
  if (const auto found = images_.find(path); found != images_.end()) return found->second;
  io::require_scalar(io::read_info(path));
  Image<float> image = io::read_image<float>(path);
  require(image.grid.dimension() == dimension_,
          path + ": a " + std::to_string(image.grid.dimension()) + "-D image, -d is " +
              std::to_string(dimension_) + "; write -d " + std::to_string(image.grid.dimension()));
  return images_.emplace(path, std::move(image)).first->second;
}

Image<float> Images::fixed_copy(const std::string& path) {
  const Image<float>& image = at(path);
  return fixed_.is_identity() ? copy_of(ctx_, image) : resampled(ctx_, image, image.grid, fixed_);
}

std::optional<Image<std::uint8_t>> Images::mask(const std::string& path, const Grid& grid,
                                                const transforms::CompositeTransform& chain) {
  if (path.empty()) return std::nullopt;
  Image<std::uint8_t> given = read_mask(path);
  if (chain.is_identity() && same_space(given.grid, grid, 1e-2)) return given;
  Image<std::uint8_t> result{grid, Field<std::uint8_t>(Backend::cpu, grid.domain())};
  std::uint8_t* to = result.data.begin();
  transforms::apply_label<std::uint8_t>(
      ctx_, {.interpolation = transforms::Interpolation::nearest}, grid, chain, given,
      [&](std::span<const std::uint8_t> values) { to = std::ranges::copy(values, to).out; });
  require(std::ranges::any_of(result.data, [](std::uint8_t m) { return m != 0; }),
          path + ": the mask lies nowhere in its image");
  return result;
}

registration::Inputs Images::inputs(StageLine& stage,
                                    const transforms::CompositeTransform& before) {
  registration::Inputs in;
  for (MetricLine& metric : stage.metrics) {
    std::size_t pair = 0;
    while (pair < in.fixed.size() &&
           (in.fixed_names[pair] != metric.fixed || in.moving_names[pair] != metric.moving))
      ++pair;
    metric.config.image_pair = static_cast<int>(pair);
    if (pair < in.fixed.size()) continue;
    Image<float> fixed = fixed_copy(metric.fixed);
    if (!in.fixed.empty() && !same_space(fixed.grid, in.fixed[0].grid, 1e-2))
      fixed = resampled(ctx_, fixed, in.fixed[0].grid, {});
    const Grid grid = fixed.grid;
    in.fixed.push_back(std::move(fixed));
    const Image<float>& moving = at(metric.moving);
    const bool elsewhere = !in.moving.empty() && !stage.moving_mask.empty() &&
                           !same_space(moving.grid, in.moving[0].grid, 1e-2);
    if (!before.is_identity())
      in.moving.push_back(resampled(ctx_, moving, grid, before));
    else
      in.moving.push_back(elsewhere ? resampled(ctx_, moving, in.moving[0].grid, {})
                                    : copy_of(ctx_, moving));
    in.fixed_names.push_back(metric.fixed);
    in.moving_names.push_back(metric.moving);
  }
  in.fixed_mask = mask(stage.fixed_mask, in.fixed[0].grid, fixed_);
  in.moving_mask = mask(stage.moving_mask, in.moving[0].grid, before);
  return in;
}

}  // namespace ffdp::cli::ants
