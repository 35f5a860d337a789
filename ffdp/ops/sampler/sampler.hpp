// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>

#include "ffdp/core/affine.hpp"
#include "ffdp/core/context.hpp"
#include "ffdp/core/image_view.hpp"
#include "ffdp/core/plane_sums.hpp"
#include "ffdp/ops/common/into.hpp"

namespace ffdp::sampler {

/// Composite implicit grid sampler (arXiv 2509.25044, section 3.1): out(x) = I(q(x)), trilinear,
/// with q(x) = A x + t + S u(x). x is the global voxel index (z, y, x) of the fixed grid, q the
/// continuous voxel index of the moving image. No grid and no q is stored.
struct Params {
  Affine map;                               ///< A, t: fixed index to moving index [voxels], z, y, x
  Mat3 displacement_map = Affine{}.linear;  ///< S; registration uses S = A [voxels / voxels]
  Box moving_domain;  ///< the whole moving image; it extends half a voxel beyond its outer centres
  float outside = std::numeric_limits<float>::quiet_NaN();  ///< written where there is no sample
  friend bool operator==(const Params&, const Params&) = default;
};

/// Masks restrict where a sample counts; null data means everywhere.
struct Masks {
  View<const std::uint8_t> fixed;   ///< [z,y,x] over compute; 0 excludes
  View<const std::uint8_t> moving;  ///< [z,y,x] stored as moving; 0 at the nearest voxel excludes
};

/// Halo `displacement` needs around the compute box [voxels].
constexpr int halo(const Params&) { return 0; }

/// Voxels of moving_domain that q(x) may touch for x in `compute` and every component c of u(x)
/// within [least[c], most[c]]; at least one voxel.
Box reach(const Params&, const Box& compute, const Vec3& least, const Vec3& most);

/// Resamples the moving image. The CPU backend reads float32 images only. Here and below, a sample
/// is outside if one of its corners is not stored; only stored voxels are ever read.
/// @param domain        whole fixed image
/// @param compute       voxels this call writes
/// @param moving        [z,y,x] intensity; stored over what q reaches within moving_domain
/// @param displacement  [3,z,y,x] u, components z, y, x [voxels of the fixed grid], stored over at
///                      least compute; null data for u = 0
/// @param masks         where samples count
/// @param warped        [z,y,x] intensity, written over compute; Params::outside where a sample is
///                      outside the moving image or masked
/// @return number of voxels of compute that got `outside` [voxels]
std::int64_t forward(Context&, const Params&, Box domain, Box compute, const ImageView& moving,
                     VectorView<const float> displacement, const Masks& masks, View<float> warped);
/// The same without counting, so that the host does not wait for the stream.
void forward_uncounted(Context&, const Params&, Box domain, Box compute, const ImageView& moving,
                       VectorView<const float> displacement, const Masks& masks,
                       View<float> warped);

using ffdp::Into;

/// Gradient w.r.t. u: S^T grad I(q(x)) grad_warped(x).
/// @param grad_warped  [z,y,x] dL/d(warped) [1/intensity], stored over at least compute;
///                     samples outside have no gradient
/// @param to           [3,z,y,x] dL/du [1/voxels], over compute
void backward_displacement(Context&, const Params&, Box domain, Box compute,
                           const ImageView& moving, VectorView<const float> displacement,
                           View<const float> grad_warped, const ScaledGradient& to);

/// What forward_part() writes, over compute.
struct Samples {
  View<float> warped;  ///< [z,y,x] intensity; Params::outside where a sample is outside the moving
                       ///< image or masked
  VectorView<float> slopes;  ///< [3,z,y,x] dI/dq at q(x), components z, y, x [intensity/voxel of
                             ///< the moving image]; 0 outside the moving image; null data for none
};

/// Samples one part of a moving image. Writes the samples whose cell of eight voxels is stored, and
/// leaves the others as they are. Calls with parts that overlap by one plane and together cover the
/// moving image write all samples, with the bits of forward() and backward_displacement().
/// @param moving  [z,y,x] intensity; the part
/// @param masks   the moving mask is stored over at least the part
void forward_part(Context&, const Params&, Box domain, Box compute, const ImageView& moving,
                  VectorView<const float> displacement, const Masks& masks, const Samples& samples);

/// backward_displacement() from the slopes that forward_part() has written. It gives the same bits
/// if the scale of the image is a power of two.
/// @param slopes  [3,z,y,x] stored over at least compute
void backward_slopes(Context&, const Params&, Box domain, Box compute,
                     VectorView<const float> slopes, View<const float> grad_warped,
                     const ScaledGradient& to);

/// Twelve sums: dL/dA [row][column] and dL/dt.
struct AffineGradient {
  Mat3 map{};
  Vec3 translation{};
  AffineGradient& operator+=(const AffineGradient& other) {
    for (int c = 0; c < 3; ++c) {
      translation[c] += other.translation[c];
      for (int k = 0; k < 3; ++k) map[c][k] += other.map[c][k];
    }
    return *this;
  }
};

/// Gradient w.r.t. A and t: sums over compute of grad I(q) grad_warped times (x, 1), in double.
PlaneSums<AffineGradient> backward_affine(Context&, const Params&, Box domain, Box compute,
                                          const ImageView& moving,
                                          VectorView<const float> displacement,
                                          View<const float> grad_warped);

/// Gradient w.r.t. the moving image (adjoint of the interpolation; scatters). For training. The
/// bits are the same at every run: the CPU uses one thread; a GPU adds in fixed point, 62 -
/// log2(voxels) bits below the largest gradient. If a gradient is not finite, the GPU writes NaN
/// everywhere.
/// @param grad_moving  [z,y,x] dL/dI, added to; stored over at least what q reaches
void backward_moving(Context&, const Params&, Box domain, Box compute,
                     VectorView<const float> displacement, View<const float> grad_warped,
                     View<float> grad_moving);

}  // namespace ffdp::sampler
