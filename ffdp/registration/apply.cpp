// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/apply.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "ffdp/core/error.hpp"
#include "ffdp/core/parallel.hpp"
#include "ffdp/ops/points/points.hpp"

namespace ffdp::registration {
namespace {

// Points of one piece: 64 Ki of them stay in cache and keep all threads busy.
constexpr std::int64_t piece = std::int64_t{1} << 16;
constexpr std::int64_t task = 2048;

/// Fills `points` with affine(index) of the voxels [begin, begin + points.size()) of the grid.
void voxel_points(const Context& ctx, const Grid& grid, const Affine& affine, std::int64_t begin,
                  std::span<Vec3> points) {
  const std::int64_t nx = grid.size[2], ny = grid.size[1];
  const std::int64_t n = static_cast<std::int64_t>(points.size());
  parallel_for(ctx, (n + task - 1) / task, [&](std::int64_t t, int) {
    const std::int64_t end = std::min(n, (t + 1) * task);
    for (std::int64_t i = t * task; i < end; ++i) {
      const std::int64_t voxel = begin + i, row = voxel / nx;
      points[static_cast<std::size_t>(i)] =
          affine({static_cast<double>(row / ny), static_cast<double>(row % ny),
                  static_cast<double>(voxel % nx)});
    }
  });
}

/// body(begin, points) for consecutive pieces of the grid; points are mapped through the chain
/// and then by `last`.
template <class Body>
void for_each_mapped_piece(Context& ctx, const Grid& grid, const CompositeTransform& transform,
                           const Affine& last, Body&& body) {
  CompositeTransform chain;
  chain.append(grid.to_world());
  chain.append(transform);
  chain.append(last);
  // The leading affine is applied while points are made.
  const Affine first = std::get<Affine>(chain.steps().front());
  CompositeTransform rest;
  for (std::size_t i = 1; i < chain.steps().size(); ++i) rest.append(chain.steps()[i]);
  const std::int64_t voxels = grid.domain().volume();
  std::vector<Vec3> points(static_cast<std::size_t>(std::min(piece, voxels)));
  for (std::int64_t begin = 0; begin < voxels; begin += piece) {
    const std::span<Vec3> here(points.data(),
                               static_cast<std::size_t>(std::min(piece, voxels - begin)));
    voxel_points(ctx, grid, first, begin, here);
    rest.map(ctx, here);
    body(begin, here);
  }
}

void check(const Grid& fixed_grid, bool has_moving) {
  require(!fixed_grid.domain().empty(),
          "apply: the reference grid " + to_string(fixed_grid.domain()) + " is empty");
  require(has_moving, "apply: the moving image is empty");
}

template <class T>
T exact_fill(double fill) {
  if constexpr (std::is_integral_v<T>) {
    const double least = static_cast<double>(std::numeric_limits<T>::min());
    const double most = static_cast<double>(std::numeric_limits<T>::max());
    require(fill == std::floor(fill) && fill >= least && fill <= most,
            "apply: the default value " + std::to_string(fill) +
                " is not a whole number in the range of the labels");
    // 2^64 - 1 is no double; the comparison above lets 2^64 through.
    if (fill >= most) return std::numeric_limits<T>::max();
  }
  return static_cast<T>(fill);
}

points::Mode mode_of(Interpolation interpolation) {
  switch (interpolation) {
    case Interpolation::linear:
      return points::Mode::linear;
    case Interpolation::nearest:
      return points::Mode::nearest;
    case Interpolation::bspline:
      return points::Mode::bspline;
    case Interpolation::sinc:
      return points::Mode::sinc;
    case Interpolation::label:
      break;
  }
  throw InvalidArgument("apply: label interpolation keeps the type of the labels: apply_label");
}

template <class T>
void apply_sampled(Context& ctx, const points::Params& params, const Grid& fixed_grid,
                   const CompositeTransform& transform, const Grid& moving_grid,
                   View<const T> moving, const Consumer<double>& consume) {
  std::vector<double> values(
      static_cast<std::size_t>(std::min(piece, fixed_grid.domain().volume())));
  for_each_mapped_piece(ctx, fixed_grid, transform, moving_grid.to_index(),
                        [&](std::int64_t, std::span<const Vec3> at) {
                          const std::span<double> out(values.data(), at.size());
                          points::sample(ctx, params, moving_grid.domain(), moving, at, out);
                          consume(out);
                        });
}

}  // namespace

template <class T>
void apply(Context& ctx, const ApplyParams& params, const Grid& fixed_grid,
           const CompositeTransform& transform, const Image<T>& moving,
           const Consumer<double>& consume) {
  check(fixed_grid, !moving.data.empty());
  const points::Params sampling{mode_of(params.interpolation), params.fill};
  if (sampling.mode != points::Mode::bspline)
    return apply_sampled<T>(ctx, sampling, fixed_grid, transform, moving.grid, moving.data.view(),
                            consume);
  // float holds the coefficients of 8- and 16-bit images to 1e-7 of their range.
  using Coefficient =
      std::conditional_t<(sizeof(T) > 2) && !std::is_same_v<T, float>, double, float>;
  Field<Coefficient> coefficients(ctx.backend, moving.data.stored());
  std::copy(moving.data.begin(), moving.data.end(), coefficients.begin());
  points::bspline_coefficients(ctx, coefficients.view());
  apply_sampled<Coefficient>(ctx, sampling, fixed_grid, transform, moving.grid, coefficients.view(),
                             consume);
}

template <class T>
void apply_label(Context& ctx, const ApplyParams& params, const Grid& fixed_grid,
                 const CompositeTransform& transform, const Image<T>& moving,
                 const Consumer<T>& consume) {
  check(fixed_grid, !moving.data.empty());
  require(params.interpolation == Interpolation::nearest ||
              params.interpolation == Interpolation::label,
          "apply: labels need nearest or label interpolation");
  const T fill = exact_fill<T>(params.fill);
  const View<const T> image = std::as_const(moving.data).view();
  const Box domain = moving.grid.domain();
  std::vector<T> values(static_cast<std::size_t>(std::min(piece, fixed_grid.domain().volume())));
  for_each_mapped_piece(ctx, fixed_grid, transform, moving.grid.to_index(),
                        [&](std::int64_t, std::span<const Vec3> at) {
                          const std::span<T> out(values.data(), at.size());
                          if (params.interpolation == Interpolation::nearest)
                            points::nearest_label<T>(ctx, domain, image, fill, at, out);
                          else
                            points::vote_label<T>(ctx, domain, image, fill, at, out);
                          consume(out);
                        });
}

void compose(Context& ctx, const Grid& grid, const CompositeTransform& transform,
             const Consumer<Vec3>& consume) {
  check(grid, true);
  const Affine to_world = grid.to_world();
  std::vector<Vec3> starts(static_cast<std::size_t>(std::min(piece, grid.domain().volume())));
  for_each_mapped_piece(ctx, grid, transform, Affine{},
                        [&](std::int64_t begin, std::span<Vec3> ends) {
                          const std::span<Vec3> at(starts.data(), ends.size());
                          voxel_points(ctx, grid, to_world, begin, at);
                          for (std::size_t i = 0; i < ends.size(); ++i)
                            for (std::size_t c = 0; c < 3; ++c) ends[i][c] -= at[i][c];
                          consume(ends);
                        });
}

DisplacementImage compose(Context& ctx, const Grid& grid, const CompositeTransform& transform) {
  DisplacementImage result{grid, VectorField<float>(ctx.backend, grid.domain())};
  const std::int64_t voxels = grid.domain().volume();
  float* const data = result.data.data();
  std::int64_t done = 0;
  // Fields with sentinels as large as a float can hold must not become infinite.
  constexpr double most = std::numeric_limits<float>::max();
  compose(ctx, grid, transform, [&](std::span<const Vec3> vectors) {
    for (std::size_t i = 0; i < vectors.size(); ++i)
      for (std::size_t c = 0; c < 3; ++c)
        data[static_cast<std::int64_t>(c) * voxels + done + static_cast<std::int64_t>(i)] =
            static_cast<float>(std::clamp(vectors[i][c], -most, most));
    done += static_cast<std::int64_t>(vectors.size());
  });
  return result;
}

template void apply(Context&, const ApplyParams&, const Grid&, const CompositeTransform&,
                    const Image<std::uint8_t>&, const Consumer<double>&);
template void apply(Context&, const ApplyParams&, const Grid&, const CompositeTransform&,
                    const Image<std::int8_t>&, const Consumer<double>&);
template void apply(Context&, const ApplyParams&, const Grid&, const CompositeTransform&,
                    const Image<std::uint16_t>&, const Consumer<double>&);
template void apply(Context&, const ApplyParams&, const Grid&, const CompositeTransform&,
                    const Image<std::int16_t>&, const Consumer<double>&);
template void apply(Context&, const ApplyParams&, const Grid&, const CompositeTransform&,
                    const Image<std::uint32_t>&, const Consumer<double>&);
template void apply(Context&, const ApplyParams&, const Grid&, const CompositeTransform&,
                    const Image<std::int32_t>&, const Consumer<double>&);
template void apply(Context&, const ApplyParams&, const Grid&, const CompositeTransform&,
                    const Image<std::uint64_t>&, const Consumer<double>&);
template void apply(Context&, const ApplyParams&, const Grid&, const CompositeTransform&,
                    const Image<std::int64_t>&, const Consumer<double>&);
template void apply(Context&, const ApplyParams&, const Grid&, const CompositeTransform&,
                    const Image<float>&, const Consumer<double>&);
template void apply(Context&, const ApplyParams&, const Grid&, const CompositeTransform&,
                    const Image<double>&, const Consumer<double>&);
template void apply_label(Context&, const ApplyParams&, const Grid&, const CompositeTransform&,
                          const Image<std::uint8_t>&, const Consumer<std::uint8_t>&);
template void apply_label(Context&, const ApplyParams&, const Grid&, const CompositeTransform&,
                          const Image<std::int8_t>&, const Consumer<std::int8_t>&);
template void apply_label(Context&, const ApplyParams&, const Grid&, const CompositeTransform&,
                          const Image<std::uint16_t>&, const Consumer<std::uint16_t>&);
template void apply_label(Context&, const ApplyParams&, const Grid&, const CompositeTransform&,
                          const Image<std::int16_t>&, const Consumer<std::int16_t>&);
template void apply_label(Context&, const ApplyParams&, const Grid&, const CompositeTransform&,
                          const Image<std::uint32_t>&, const Consumer<std::uint32_t>&);
template void apply_label(Context&, const ApplyParams&, const Grid&, const CompositeTransform&,
                          const Image<std::int32_t>&, const Consumer<std::int32_t>&);
template void apply_label(Context&, const ApplyParams&, const Grid&, const CompositeTransform&,
                          const Image<std::uint64_t>&, const Consumer<std::uint64_t>&);
template void apply_label(Context&, const ApplyParams&, const Grid&, const CompositeTransform&,
                          const Image<std::int64_t>&, const Consumer<std::int64_t>&);
template void apply_label(Context&, const ApplyParams&, const Grid&, const CompositeTransform&,
                          const Image<float>&, const Consumer<float>&);
template void apply_label(Context&, const ApplyParams&, const Grid&, const CompositeTransform&,
                          const Image<double>&, const Consumer<double>&);

}  // namespace ffdp::registration
