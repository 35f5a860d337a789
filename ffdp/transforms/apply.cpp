// SPDX-License-Identifier: Apache-2.0
#include "ffdp/transforms/apply.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "ffdp/core/error.hpp"
#include "ffdp/core/parallel.hpp"
#include "ffdp/ops/points/math.hpp"
#include "ffdp/ops/points/points.hpp"
#include "ffdp/transforms/spline_shards.hpp"

namespace ffdp::transforms {
namespace {

// A task's points stay in cache; a batch of tasks is one parallel region.
constexpr std::int64_t task_points = std::int64_t{1} << 13;
constexpr std::int64_t batch_tasks = 64;

/// Fills `points` with affine(index) of the voxels [begin, begin + points.size()) of the grid.
void voxel_points(const Grid& grid, const Affine& affine, std::int64_t begin,
                  std::span<Vec3> points) {
  const std::int64_t row = begin / grid.size[2];
  int x = static_cast<int>(begin % grid.size[2]), y = static_cast<int>(row % grid.size[1]),
      z = static_cast<int>(row / grid.size[1]);
  for (Vec3& point : points) {
    point = affine({static_cast<double>(z), static_cast<double>(y), static_cast<double>(x)});
    if (++x < grid.size[2]) continue;
    x = 0;
    if (++y < grid.size[1]) continue;
    y = 0;
    ++z;
  }
}

/// Maps the voxels of planes of the grid through the chain and then by `last`. Calls
/// value_of(serial_context, first voxel, points, values) on all threads to compute the value of
/// each point, and passes the values on in order.
template <class T, class ValueOf>
void for_each_mapped(const Context& ctx, const Grid& grid, const Box& planes,
                     const CompositeTransform& transform, const Affine& last, ValueOf&& value_of,
                     const Consumer<T>& consume) {
  CompositeTransform chain;
  chain.append(grid.to_world());
  chain.append(transform);
  chain.append(last);
  // The leading affine is applied while the points are computed.
  const Affine first = std::get<Affine>(chain.steps().front());
  CompositeTransform rest;
  for (std::size_t i = 1; i < chain.steps().size(); ++i) rest.append(chain.steps()[i]);

  struct Worker {
    Context serial;
    std::vector<Vec3> points = std::vector<Vec3>(task_points);
  };
  std::vector<Worker> workers(static_cast<std::size_t>(ctx.threads));
  const std::int64_t voxels = planes.volume(), batch = task_points * batch_tasks;
  const std::int64_t before = std::int64_t{planes.lo[0]} * grid.size[1] * grid.size[2];
  std::vector<T> values(static_cast<std::size_t>(std::min(batch, voxels)));
  for (std::int64_t start = 0; start < voxels; start += batch) {
    const std::int64_t count = std::min(batch, voxels - start);
    parallel_for(ctx, (count + task_points - 1) / task_points, [&](std::int64_t t, int w) {
      Worker& worker = workers[static_cast<std::size_t>(w)];
      const std::size_t begin = static_cast<std::size_t>(t * task_points);
      const std::size_t n =
          static_cast<std::size_t>(std::min(task_points, count - t * task_points));
      const std::int64_t voxel = before + start + t * task_points;
      const std::span<Vec3> points(worker.points.data(), n);
      voxel_points(grid, first, voxel, points);
      rest.map(worker.serial, points);
      value_of(worker.serial, voxel, points, std::span<T>(values.data() + begin, n));
    });
    consume(std::span<const T>(values.data(), static_cast<std::size_t>(count)));
  }
}

/// Whether apply needs the whole moving image.
bool needs_whole(const ApplyParams& params) {
  return params.interpolation == Interpolation::bspline ||
         (params.interpolation == Interpolation::kernel &&
          params.kernel.kind == Kernel::Kind::bspline);
}

void check_planes(const Grid& grid, const Box& planes) {
  require(!grid.domain().empty(),
          "apply: the reference grid " + to_string(grid.domain()) + " is empty");
  require(planes.empty() || (grid.domain().contains(planes) && planes.size(1) == grid.size[1] &&
                             planes.size(2) == grid.size[2]),
          "apply: the box " + to_string(planes) + " is asked, planes of " +
              to_string(grid.domain()) + " are wanted");
}

template <class T>
void check(const ApplyParams& params, const Grid& fixed_grid, const Box& planes,
           const Image<T>& moving) {
  check_planes(fixed_grid, planes);
  const Box domain = moving.grid.domain();
  require(!domain.empty(), "apply: the moving image is empty");
  require(!needs_whole(params) || moving.data.stored() == domain,
          "apply: the moving image is stored over " + to_string(moving.data.stored()) +
              ", B-splines need all of " + to_string(domain));
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
    case Interpolation::kernel:
    case Interpolation::kernel_label:
    case Interpolation::label:
      break;
  }
  throw InvalidArgument("apply: label interpolation keeps the type of the labels: apply_label");
}

template <class T>
void apply_sampled(Context& ctx, const points::Params& params, const Grid& fixed_grid,
                   const Box& planes, const CompositeTransform& transform, const Grid& moving_grid,
                   View<const T> moving, const Consumer<double>& consume) {
  for_each_mapped<double>(
      ctx, fixed_grid, planes, transform, moving_grid.to_index(),
      [&](Context& serial, std::int64_t, std::span<const Vec3> at, std::span<double> out) {
        points::sample(serial, params, moving_grid.domain(), moving, at, out);
      },
      consume);
}

/// Interpolates by a kernel: value(point, weights) inside the moving image, `fill` outside.
template <class Out, class Value>
void apply_kernel(Context& ctx, const Grid& fixed_grid, const Box& planes,
                  const CompositeTransform& transform, const Grid& moving_grid, Out fill,
                  const Value& value, const Consumer<Out>& consume) {
  const Box domain = moving_grid.domain();
  for_each_mapped<Out>(
      ctx, fixed_grid, planes, transform, moving_grid.to_index(),
      [&](Context&, std::int64_t, std::span<const Vec3> at, std::span<Out> out) {
        PointWeights scratch;
        for (std::size_t i = 0; i < at.size(); ++i)
          out[i] = points::inside(domain, at[i]) ? value(at[i], scratch) : fill;
      },
      consume);
}

template <class T>
void apply_kernel(Context& ctx, const ApplyParams& params, const Grid& fixed_grid,
                  const Box& planes, const CompositeTransform& transform, const Grid& moving_grid,
                  View<const T> moving, const Consumer<double>& consume) {
  apply_kernel<double>(
      ctx, fixed_grid, planes, transform, moving_grid, params.fill,
      [&](const Vec3& q, PointWeights& w) {
        return kernel_value(params.kernel, moving_grid.domain(), moving, q, w);
      },
      consume);
}

}  // namespace

int halo(const ApplyParams& params) {
  switch (params.interpolation) {
    case Interpolation::nearest:
      return points::halo(points::Mode::nearest);
    case Interpolation::sinc:
      return points::halo(points::Mode::sinc);
    case Interpolation::linear:
    case Interpolation::label:
      return points::halo(points::Mode::linear);
    case Interpolation::bspline:
      return points::halo(points::Mode::bspline) + 1;  // mirrored at the edges
    case Interpolation::kernel:
    case Interpolation::kernel_label:
      break;
  }
  throw InvalidArgument("apply: no halo is known of this interpolation, it gets whole images");
}

template <class T>
void apply(Context& ctx, const ApplyParams& params, const Grid& fixed_grid, const Box& planes,
           const CompositeTransform& transform, const Image<T>& moving,
           const Consumer<double>& consume) {
  check(params, fixed_grid, planes, moving);
  if (params.interpolation == Interpolation::kernel) {
    if (params.kernel.kind != Kernel::Kind::bspline)
      return apply_kernel<T>(ctx, params, fixed_grid, planes, transform, moving.grid,
                             moving.data.view(), consume);
    Field<double> coefficients(Backend::cpu, moving.data.stored());
    std::copy(moving.data.begin(), moving.data.end(), coefficients.begin());
    spline_coefficients(ctx, params.kernel.order, coefficients.view());
    return apply_kernel<double>(ctx, params, fixed_grid, planes, transform, moving.grid,
                                std::as_const(coefficients).view(), consume);
  }
  const points::Params sampling{mode_of(params.interpolation), params.fill};
  if (sampling.mode != points::Mode::bspline)
    return apply_sampled<T>(ctx, sampling, fixed_grid, planes, transform, moving.grid,
                            moving.data.view(), consume);
  dist::SoloComm solo;
  apply_coefficients(ctx, params, fixed_grid, planes, transform,
                     spline_coefficients(ctx, solo, moving, moving.grid.domain()), consume);
}

template <class T>
void apply_coefficients(Context& ctx, const ApplyParams& params, const Grid& fixed_grid,
                        const Box& planes, const CompositeTransform& transform,
                        const Image<T>& coefficients, const Consumer<double>& consume) {
  check_planes(fixed_grid, planes);
  apply_sampled<T>(ctx, {points::Mode::bspline, params.fill}, fixed_grid, planes, transform,
                   coefficients.grid, coefficients.data.view(), consume);
}
template void apply_coefficients(Context&, const ApplyParams&, const Grid&, const Box&,
                                 const CompositeTransform&, const Image<float>&,
                                 const Consumer<double>&);
template void apply_coefficients(Context&, const ApplyParams&, const Grid&, const Box&,
                                 const CompositeTransform&, const Image<double>&,
                                 const Consumer<double>&);

template <class T>
void apply_label(Context& ctx, const ApplyParams& params, const Grid& fixed_grid, const Box& planes,
                 const CompositeTransform& transform, const Image<T>& moving,
                 const Consumer<T>& consume) {
  check(params, fixed_grid, planes, moving);
  require(params.interpolation == Interpolation::nearest ||
              params.interpolation == Interpolation::label ||
              params.interpolation == Interpolation::kernel_label,
          "apply: labels need nearest or label interpolation");
  const T fill = exact_fill<T>(params.fill);
  const View<const T> image = std::as_const(moving.data).view();
  const Box domain = moving.grid.domain();
  if (params.interpolation == Interpolation::kernel_label)
    return apply_kernel<T>(
        ctx, fixed_grid, planes, transform, moving.grid, fill,
        [&](const Vec3& q, PointWeights& w) {
          return kernel_label(params.kernel, domain, image, q, w);
        },
        consume);
  for_each_mapped<T>(
      ctx, fixed_grid, planes, transform, moving.grid.to_index(),
      [&](Context& serial, std::int64_t, std::span<const Vec3> at, std::span<T> out) {
        if (params.interpolation == Interpolation::nearest)
          points::nearest_label<T>(serial, domain, image, fill, at, out);
        else
          points::vote_label<T>(serial, domain, image, fill, at, out);
      },
      consume);
}

void compose(Context& ctx, const Grid& grid, const Box& planes, const CompositeTransform& transform,
             const Consumer<Vec3>& consume) {
  check_planes(grid, planes);
  const Affine to_world = grid.to_world();
  for_each_mapped<Vec3>(
      ctx, grid, planes, transform, Affine{},
      [&](Context&, std::int64_t begin, std::span<const Vec3> ends, std::span<Vec3> out) {
        voxel_points(grid, to_world, begin, out);
        for (std::size_t i = 0; i < ends.size(); ++i)
          for (std::size_t c = 0; c < 3; ++c) out[i][c] = ends[i][c] - out[i][c];
      },
      consume);
}

DisplacementImage compose(Context& ctx, const Grid& grid, const CompositeTransform& transform) {
  return compose(ctx, grid, grid.domain(), transform);
}

DisplacementImage compose(Context& ctx, const Grid& grid, const Box& planes,
                          const CompositeTransform& transform) {
  DisplacementImage result{grid, VectorField<float>(ctx.backend, planes)};
  const std::int64_t voxels = planes.volume();
  float* const data = result.data.data();
  std::int64_t done = 0;
  // Fields with sentinels as large as a float can hold must not become infinite.
  constexpr double most = std::numeric_limits<float>::max();
  compose(ctx, grid, planes, transform, [&](std::span<const Vec3> vectors) {
    for (std::size_t i = 0; i < vectors.size(); ++i)
      for (std::size_t c = 0; c < 3; ++c)
        data[static_cast<std::int64_t>(c) * voxels + done + static_cast<std::int64_t>(i)] =
            static_cast<float>(std::clamp(vectors[i][c], -most, most));
    done += static_cast<std::int64_t>(vectors.size());
  });
  return result;
}

template void apply(Context&, const ApplyParams&, const Grid&, const Box&,
                    const CompositeTransform&, const Image<std::uint8_t>&, const Consumer<double>&);
template void apply(Context&, const ApplyParams&, const Grid&, const Box&,
                    const CompositeTransform&, const Image<std::int8_t>&, const Consumer<double>&);
template void apply(Context&, const ApplyParams&, const Grid&, const Box&,
                    const CompositeTransform&, const Image<std::uint16_t>&,
                    const Consumer<double>&);
template void apply(Context&, const ApplyParams&, const Grid&, const Box&,
                    const CompositeTransform&, const Image<std::int16_t>&, const Consumer<double>&);
template void apply(Context&, const ApplyParams&, const Grid&, const Box&,
                    const CompositeTransform&, const Image<std::uint32_t>&,
                    const Consumer<double>&);
template void apply(Context&, const ApplyParams&, const Grid&, const Box&,
                    const CompositeTransform&, const Image<std::int32_t>&, const Consumer<double>&);
template void apply(Context&, const ApplyParams&, const Grid&, const Box&,
                    const CompositeTransform&, const Image<std::uint64_t>&,
                    const Consumer<double>&);
template void apply(Context&, const ApplyParams&, const Grid&, const Box&,
                    const CompositeTransform&, const Image<std::int64_t>&, const Consumer<double>&);
template void apply(Context&, const ApplyParams&, const Grid&, const Box&,
                    const CompositeTransform&, const Image<float>&, const Consumer<double>&);
template void apply(Context&, const ApplyParams&, const Grid&, const Box&,
                    const CompositeTransform&, const Image<double>&, const Consumer<double>&);
template void apply_label(Context&, const ApplyParams&, const Grid&, const Box&,
                          const CompositeTransform&, const Image<std::uint8_t>&,
                          const Consumer<std::uint8_t>&);
template void apply_label(Context&, const ApplyParams&, const Grid&, const Box&,
                          const CompositeTransform&, const Image<std::int8_t>&,
                          const Consumer<std::int8_t>&);
template void apply_label(Context&, const ApplyParams&, const Grid&, const Box&,
                          const CompositeTransform&, const Image<std::uint16_t>&,
                          const Consumer<std::uint16_t>&);
template void apply_label(Context&, const ApplyParams&, const Grid&, const Box&,
                          const CompositeTransform&, const Image<std::int16_t>&,
                          const Consumer<std::int16_t>&);
template void apply_label(Context&, const ApplyParams&, const Grid&, const Box&,
                          const CompositeTransform&, const Image<std::uint32_t>&,
                          const Consumer<std::uint32_t>&);
template void apply_label(Context&, const ApplyParams&, const Grid&, const Box&,
                          const CompositeTransform&, const Image<std::int32_t>&,
                          const Consumer<std::int32_t>&);
template void apply_label(Context&, const ApplyParams&, const Grid&, const Box&,
                          const CompositeTransform&, const Image<std::uint64_t>&,
                          const Consumer<std::uint64_t>&);
template void apply_label(Context&, const ApplyParams&, const Grid&, const Box&,
                          const CompositeTransform&, const Image<std::int64_t>&,
                          const Consumer<std::int64_t>&);
template void apply_label(Context&, const ApplyParams&, const Grid&, const Box&,
                          const CompositeTransform&, const Image<float>&, const Consumer<float>&);
template void apply_label(Context&, const ApplyParams&, const Grid&, const Box&,
                          const CompositeTransform&, const Image<double>&, const Consumer<double>&);

}  // namespace ffdp::transforms
