// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <vector>

#include "ffdp/core/parallel.hpp"
#include "ffdp/ops/common/checks.hpp"
#include "ffdp/ops/sampler/backends.hpp"
#include "ffdp/ops/sampler/math.hpp"
#include "ffdp/ops/sampler/rows.hpp"

namespace ffdp::sampler {
namespace {

using namespace rows;

struct Count {
  std::int64_t value = 0;
  Count& operator+=(const Count& other) {
    value += other.value;
    return *this;
  }
};

constexpr float missing = std::numeric_limits<float>::quiet_NaN();

/// What happens to a sample whose cell is not stored: it counts as outside, or is left as it is.
enum class Absent { outside, left };

/// Makes one row of the warped image, NaN outside. Locator and row are passed by value: a reference
/// might change with every store to `out`, for all that the compiler knows.
template <Absent absent, class Locate>
void resample_row(const Locate locate, const Row row, const Box& compute, float* out) {
#pragma omp simd
  for (int x = compute.lo[2]; x < compute.hi[2]; ++x) {
    const auto cell = locate(row, x);
    float v[8];
    locate.corners(cell, v);
    const float value = trilinear(v, cell.fz, cell.fy, cell.fx);
    const float made = cell.counts() ? value : missing;
    out[x] = absent == Absent::left && !cell.held ? out[x] : made;
  }
}

/// Sets masked samples of a row to NaN.
template <class Locate>
void mask_row(const Locate& locate, const Row& row, const Masks& masks, int z, int y,
              const Box& compute, float* out) {
  if (masks.fixed) {
    const std::uint8_t* mask = masks.fixed.row(z, y);
    for (int x = compute.lo[2]; x < compute.hi[2]; ++x)
      if (!mask[x]) out[x] = missing;
  }
  for (int x = compute.lo[2]; masks.moving && x < compute.hi[2]; ++x)
    if (out[x] == out[x] && !locate.nearest(row, x, masks.moving)) out[x] = missing;
}

/// Replaces NaN by Params::outside. Returns the number of such voxels.
std::int64_t outside_row(const Params& p, const Box& compute, float* out) {
  std::int64_t outside = 0;
  const float written = p.outside;
  const int lo = compute.lo[2], hi = compute.hi[2];
  for (int x = lo; x < hi; ++x) {
    const bool valid = out[x] == out[x];
    outside += !valid;
    out[x] = valid ? out[x] : written;
  }
  return outside;
}

/// One row of the slopes of samples whose cell is stored.
template <class Locate>
void slope_row(const Locate locate, const Row row, const Box& compute, VectorView<float> slopes,
               int z, int y) {
  float *sz = slopes[0].row(z, y), *sy = slopes[1].row(z, y), *sx = slopes[2].row(z, y);
#pragma omp simd
  for (int x = compute.lo[2]; x < compute.hi[2]; ++x) {
    const auto cell = locate(row, x);
    float v[8];
    locate.corners(cell, v);
    const auto d = trilinear_gradient(v, cell.fz, cell.fy, cell.fx);
    const float dz = cell.inside && cell.free_z ? d.z : 0.0F;
    const float dy = cell.inside && cell.free_y ? d.y : 0.0F;
    const float dx = cell.inside && cell.free_x ? d.x : 0.0F;
    sz[x] = cell.held ? dz : sz[x];
    sy[x] = cell.held ? dy : sy[x];
    sx[x] = cell.held ? dx : sx[x];
  }
}

/// Calls body(piece) for short pieces of a row, except those whose cells are all in planes that are
/// not stored. With many parts, a row meets few of them.
template <class Locate, class Body>
void for_held_pieces(const Locate& locate, const Row& row, const Box& compute, Body&& body) {
  constexpr int length = 32;
  for (int x = compute.lo[2]; x < compute.hi[2]; x += length) {
    Box piece = compute;
    piece.lo[2] = x;
    piece.hi[2] = std::min(x + length, compute.hi[2]);
    int held = 0;
#pragma omp simd reduction(| : held)
    for (int i = piece.lo[2]; i < piece.hi[2]; ++i)
      held |= locate.holds(locate.along(row, 0, i), 0) ? 1 : 0;
    if (held) body(piece);
  }
}

void clear_row(const Box& compute, float* gz, float* gy, float* gx) {
  for (float* row : {gz, gy, gx}) std::fill(row + compute.lo[2], row + compute.hi[2], 0.0F);
}

/// A row of zeros, addressed by the x of compute, for an absent displacement.
std::vector<float> zero_row(const Box& compute, VectorView<const float> u) {
  return std::vector<float>(u ? 0 : compute.size(2), 0.0F);
}

}  // namespace

template <>
std::int64_t On<Backend::cpu>::forward(Context& ctx, const Params& p, Box, Box compute,
                                       const ImageView& image, VectorView<const float> displacement,
                                       const Masks& masks, View<float> warped) {
  const View<const float> moving = require_floats("sampler", image);
  const std::vector<float> zeros = zero_row(compute, displacement);
  const float* zero = zeros.data() - (displacement ? 0 : compute.lo[2]);
  return with_offsets<Need::value>(moving, p.moving_domain, [&](const auto& locate) {
    return parallel_sum<Count>(ctx, compute.size(0),
                               [&](std::int64_t i, int) {
                                 const int z = compute.lo[0] + static_cast<int>(i);
                                 std::int64_t outside = 0;
                                 for (int y = compute.lo[1]; y < compute.hi[1]; ++y) {
                                   const Row row = make_row(p, displacement, zero, z, y);
                                   float* out = warped.row(z, y);
                                   resample_row<Absent::outside>(locate, row, compute, out);
                                   mask_row(locate, row, masks, z, y, compute, out);
                                   outside += outside_row(p, compute, out);
                                 }
                                 return Count{outside};
                               })
        .value;
  });
}

template <>
void On<Backend::cpu>::forward_uncounted(Context& ctx, const Params& p, Box domain, Box compute,
                                         const ImageView& moving,
                                         VectorView<const float> displacement, const Masks& masks,
                                         View<float> warped) {
  forward(ctx, p, domain, compute, moving, displacement, masks, warped);
}

template <>
void On<Backend::cpu>::backward_displacement(Context& ctx, const Params& p, Box, Box compute,
                                             const ImageView& image,
                                             VectorView<const float> displacement,
                                             View<const float> grad_warped,
                                             const ScaledGradient& to) {
  const View<const float> moving = require_floats("sampler", image);
  const std::vector<float> zeros = zero_row(compute, displacement);
  const float* zero = zeros.data() - (displacement ? 0 : compute.lo[2]);
  const float scale = to.scale;
  with_offsets<Need::gradient>(moving, p.moving_domain, [&](const auto& locate) {
    parallel_for(ctx, compute.size(0), [&](std::int64_t i, int) {
      const int z = compute.lo[0] + static_cast<int>(i);
      for (int y = compute.lo[1]; y < compute.hi[1]; ++y) {
        const Row row = make_row(p, displacement, zero, z, y);
        const float* g = grad_warped.row(z, y);
        float *gz = to.grad[0].row(z, y), *gy = to.grad[1].row(z, y), *gx = to.grad[2].row(z, y);
        if (to.into == Into::overwrite) clear_row(compute, gz, gy, gx);
#pragma omp simd
        for (int x = compute.lo[2]; x < compute.hi[2]; ++x) {
          const auto cell = locate(row, x);
          float v[8];
          locate.corners(cell, v);
          const auto d = trilinear_gradient(v, cell.fz, cell.fy, cell.fx);
          const float factor = cell.counts() ? scale * g[x] : 0.0F;
          const float dz = cell.free_z ? d.z * factor : 0.0F;
          const float dy = cell.free_y ? d.y * factor : 0.0F;
          const float dx = cell.free_x ? d.x * factor : 0.0F;
          gz[x] += turned(row.map.s, 0, dz, dy, dx);
          gy[x] += turned(row.map.s, 1, dz, dy, dx);
          gx[x] += turned(row.map.s, 2, dz, dy, dx);
        }
      }
    });
  });
}

template <>
void On<Backend::cpu>::forward_part(Context& ctx, const Params& p, Box, Box compute,
                                    const ImageView& image, VectorView<const float> displacement,
                                    const Masks& masks, const Samples& samples) {
  const View<const float> moving = require_floats("sampler", image);
  const std::vector<float> zeros = zero_row(compute, displacement);
  const float* zero = zeros.data() - (displacement ? 0 : compute.lo[2]);
  with_offsets<Need::gradient>(moving, p.moving_domain, [&](const auto& locate) {
    parallel_for(ctx, compute.size(0), [&](std::int64_t i, int) {
      const int z = compute.lo[0] + static_cast<int>(i);
      for (int y = compute.lo[1]; y < compute.hi[1]; ++y) {
        const Row row = make_row(p, displacement, zero, z, y);
        float* out = samples.warped.row(z, y);
        for_held_pieces(locate, row, compute, [&](const Box& piece) {
          resample_row<Absent::left>(locate, row, piece, out);
          mask_row(locate, row, masks, z, y, piece, out);
          outside_row(p, piece, out);
          if (samples.slopes) slope_row(locate, row, piece, samples.slopes, z, y);
        });
      }
    });
  });
}

template <>
void On<Backend::cpu>::backward_slopes(Context& ctx, const Params& p, Box, Box compute,
                                       VectorView<const float> slopes,
                                       View<const float> grad_warped, const ScaledGradient& to) {
  const RowMap map = row_map(p, 0, 0);
  const float scale = to.scale;
  parallel_for(ctx, compute.size(0), [&](std::int64_t i, int) {
    const int z = compute.lo[0] + static_cast<int>(i);
    for (int y = compute.lo[1]; y < compute.hi[1]; ++y) {
      const float* g = grad_warped.row(z, y);
      const float *sz = slopes[0].row(z, y), *sy = slopes[1].row(z, y), *sx = slopes[2].row(z, y);
      float *gz = to.grad[0].row(z, y), *gy = to.grad[1].row(z, y), *gx = to.grad[2].row(z, y);
      if (to.into == Into::overwrite) clear_row(compute, gz, gy, gx);
#pragma omp simd
      for (int x = compute.lo[2]; x < compute.hi[2]; ++x) {
        const float factor = scale * g[x];
        const float dz = scaled(sz[x], factor), dy = scaled(sy[x], factor);
        const float dx = scaled(sx[x], factor);
        gz[x] += turned(map.s, 0, dz, dy, dx);
        gy[x] += turned(map.s, 1, dz, dy, dx);
        gx[x] += turned(map.s, 2, dz, dy, dx);
      }
    }
  });
}

template <>
PlaneSums<AffineGradient> On<Backend::cpu>::backward_affine(Context& ctx, const Params& p, Box,
                                                            Box compute, const ImageView& image,
                                                            VectorView<const float> displacement,
                                                            View<const float> grad_warped) {
  const View<const float> moving = require_floats("sampler", image);
  const std::vector<float> zeros = zero_row(compute, displacement);
  const float* zero = zeros.data() - (displacement ? 0 : compute.lo[2]);
  return with_offsets<Need::gradient>(moving, p.moving_domain, [&](const auto& locate) {
    return plane_sums<AffineGradient>(ctx, compute.size(0), [&](std::int64_t i, int) {
      const int z = compute.lo[0] + static_cast<int>(i);
      AffineGradient total;
      for (int y = compute.lo[1]; y < compute.hi[1]; ++y) {
        const Row row = make_row(p, displacement, zero, z, y);
        const float* g = grad_warped.row(z, y);
        double sum0 = 0, sum1 = 0, sum2 = 0, first0 = 0, first1 = 0, first2 = 0;
#pragma omp simd reduction(+ : sum0, sum1, sum2, first0, first1, first2)
        for (int x = compute.lo[2]; x < compute.hi[2]; ++x) {
          const auto cell = locate(row, x);
          float v[8];
          locate.corners(cell, v);
          const auto d = trilinear_gradient(v, cell.fz, cell.fy, cell.fx);
          const float factor = cell.counts() ? g[x] : 0.0F;
          const double dz = cell.free_z ? d.z * factor : 0.0F;
          const double dy = cell.free_y ? d.y * factor : 0.0F;
          const double dx = cell.free_x ? d.x * factor : 0.0F;
          sum0 += dz;
          sum1 += dy;
          sum2 += dx;
          first0 += dz * x;
          first1 += dy * x;
          first2 += dx * x;
        }
        const double sums[3] = {sum0, sum1, sum2}, firsts[3] = {first0, first1, first2};
        for (int c = 0; c < 3; ++c) {
          total.translation[c] += sums[c];
          total.map[c][0] += sums[c] * z;
          total.map[c][1] += sums[c] * y;
          total.map[c][2] += firsts[c];
        }
      }
      return total;
    });
  });
}

template <>
void On<Backend::cpu>::backward_moving(Context&, const Params& p, Box, Box compute,
                                       VectorView<const float> displacement,
                                       View<const float> grad_warped, View<float> grad_moving) {
  const std::vector<float> zeros = zero_row(compute, displacement);
  const float* zero = zeros.data() - (displacement ? 0 : compute.lo[2]);
  const Locator<std::int64_t, Need::value, Stored::part> locate(grad_moving, p.moving_domain);
  for (int z = compute.lo[0]; z < compute.hi[0]; ++z)
    for (int y = compute.lo[1]; y < compute.hi[1]; ++y) {
      const Row row = make_row(p, displacement, zero, z, y);
      const float* g = grad_warped.row(z, y);
      for (int x = compute.lo[2]; x < compute.hi[2]; ++x) {
        const auto c = locate(row, x);
        if (!c.counts()) continue;
        for (int corner = 0; corner < 8; ++corner) {
          const float wz = (corner & 4) ? c.fz : 1 - c.fz;
          const float wy = (corner & 2) ? c.fy : 1 - c.fy;
          const float wx = (corner & 1) ? c.fx : 1 - c.fx;
          const std::int64_t at = c.base + ((corner & 4) ? c.dz : 0) + ((corner & 2) ? c.dy : 0) +
                                  ((corner & 1) ? c.dx : 0);
          grad_moving.data[at] += wz * wy * wx * g[x];
        }
      }
    }
}

}  // namespace ffdp::sampler
