// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/points/points.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "ffdp/core/error.hpp"
#include "ffdp/ops/common/dispatch.hpp"
#include "ffdp/ops/points/backends.hpp"
#include "ffdp/ops/points/math.hpp"

namespace ffdp::points {
namespace {

/// Whether `stored` contains all voxels that points may read, judged by their extent alone. False
/// may mean that each point must be checked.
bool surely_stored(const Params& params, const Box& domain, const Box& stored,
                   std::span<const Vec3> points) {
  if (params.mode == Mode::bspline) return false;
  constexpr double inf = std::numeric_limits<double>::infinity();
  Vec3 least{inf, inf, inf}, most{-inf, -inf, -inf};
  for (const Vec3& q : points)
    for (int axis = 0; axis < 3; ++axis) {
      least[axis] = q[axis] < least[axis] ? q[axis] : least[axis];
      most[axis] = q[axis] > most[axis] ? q[axis] : most[axis];
    }
  const int wide = halo(params.mode);
  for (int axis = 0; axis < 3; ++axis) {
    const double lo = domain.lo[axis], last = domain.hi[axis] - 1;
    if (std::clamp(std::floor(least[axis]) - wide + 1, lo, last) < stored.lo[axis] ||
        std::clamp(std::floor(most[axis]) + wide, lo, last) >= stored.hi[axis])
      return false;
  }
  return true;
}

void check(const Params& params, const Box& domain, const Box& stored, std::span<const Vec3> points,
           std::size_t results) {
  require(!domain.empty(), "points: the domain " + to_string(domain) + " is empty");
  require(results == points.size(), "points: room for " + std::to_string(results) +
                                        " results, one for each of " +
                                        std::to_string(points.size()) + " points is wanted");
  // A view over the whole image needs no look at the points.
  if (stored.contains(domain) || surely_stored(params, domain, stored, points)) return;
  const Box needed = reach(params, domain, points);
  require(needed.empty() || stored.contains(needed),
          "points: the image is stored over " + to_string(stored) + ", these points need " +
              to_string(needed));
}

}  // namespace

Box reach(const Params& params, const Box& domain, std::span<const Vec3> points) {
  Box box;
  box.lo.fill(std::numeric_limits<int>::max());
  box.hi.fill(std::numeric_limits<int>::min());
  bool any = false;
  const bool nearest = params.mode == Mode::nearest, linear = params.mode == Mode::linear;
  const int wide = halo(params.mode);
  for (const Vec3& q : points) {
    if (!inside(domain, q)) continue;
    any = true;
    for (int axis = 0; axis < 3; ++axis) {
      const int lo = domain.lo[axis], hi = domain.hi[axis];
      const int base = static_cast<int>(std::floor(q[axis]));
      int first = base - wide + 1, last = base + wide;
      if (nearest) first = last = nearest_index(q[axis], lo, hi);
      if (linear) last = q[axis] > base ? base + 1 : base;
      first = clamp_index(first, lo, hi);
      last = clamp_index(last, lo, hi);
      if (params.mode == Mode::bspline) {  // what lies beyond an edge is mirrored inwards
        const int before = lo - (base - 1), after = base + 2 - (hi - 1);
        if (before > 0) last = std::max(last, clamp_index(lo + before, lo, hi));
        if (after > 0) first = std::min(first, clamp_index(hi - 1 - after, lo, hi));
      }
      box.lo[axis] = std::min(box.lo[axis], first);
      box.hi[axis] = std::max(box.hi[axis], last + 1);
    }
  }
  return any ? box : Box{domain.lo, domain.lo};
}

template <class T>
void sample(Context& ctx, const Params& params, const Box& domain, View<const T> image,
            std::span<const Vec3> points, std::span<double> out) {
  check(params, domain, image.stored, points, out.size());
  dispatch(ctx, [&]<Backend B>() { On<B>::sample(ctx, params, domain, image, points, out); });
}

template <class T>
void nearest_label(Context& ctx, const Box& domain, View<const T> image, T fill,
                   std::span<const Vec3> points, std::span<T> out) {
  check({Mode::nearest, 0}, domain, image.stored, points, out.size());
  dispatch(ctx, [&]<Backend B>() { On<B>::nearest_label(ctx, domain, image, fill, points, out); });
}

template <class T>
void vote_label(Context& ctx, const Box& domain, View<const T> image, T fill,
                std::span<const Vec3> points, std::span<T> out) {
  check({Mode::linear, 0}, domain, image.stored, points, out.size());
  dispatch(ctx, [&]<Backend B>() { On<B>::vote_label(ctx, domain, image, fill, points, out); });
}

void sample_vectors(Context& ctx, const Box& domain, VectorView<const float> field,
                    std::span<const Vec3> points, std::span<Vec3> vectors) {
  check({Mode::linear, 0}, domain, field.stored, points, vectors.size());
  dispatch(ctx, [&]<Backend B>() { On<B>::sample_vectors(ctx, domain, field, points, vectors); });
}

template <class T>
void bspline_coefficients(Context& ctx, View<T> image) {
  require(!image.stored.empty(), "points: the image " + to_string(image.stored) + " is empty");
  dispatch(ctx, [&]<Backend B>() { On<B>::bspline_coefficients(ctx, image); });
}

namespace here = ffdp::points;
#include "ffdp/ops/points/instances.inc"

}  // namespace ffdp::points
