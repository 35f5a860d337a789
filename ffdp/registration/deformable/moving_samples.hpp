// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <limits>
#include <optional>
#include <utility>

#include "ffdp/core/context.hpp"
#include "ffdp/dist/ring.hpp"
#include "ffdp/dist/window.hpp"
#include "ffdp/ops/sampler/sampler.hpp"
#include "ffdp/registration/config.hpp"

namespace ffdp::registration {

/// What a rank may hold of the moving image.
struct MovingLimit {
  MovingAccess access = MovingAccess::automatic;
  std::int64_t bytes = 0;  ///< room for it, the same on all ranks; 0: unknown
  Backend backend = Backend::cpu;
  double motion = std::numeric_limits<double>::infinity();  ///< most that displacements change in a
                                                            ///< whole level [voxels]
};

/// How much displacements may change before a fetched box is too small [voxels].
double fetched_margin(double motion);

/// The memory of each way to the moving image on the rank that needs most [bytes].
struct MovingNeeds {
  std::int64_t replicate = 0, fetch = 0, ring = 0;
};

/// The way that `limit` asks for. If that is automatic: replicate if it fits and, on CPUs, needs no
/// more than fetch; else fetch if it fits or needs no more than the ring; else ring. If the room is
/// unknown, all ways fit, except replicate on a GPU.
MovingAccess choose_access(const MovingLimit& limit, const MovingNeeds& needs);

/// Memory of the ring besides what a rank owns of the moving image: two parts, and the samples
/// [bytes].
/// @param cut       of the moving image
/// @param voxel     bytes per voxel of the moving image and its mask
/// @param warped    voxels that are warped
/// @param gradient  voxels whose gradient is asked for
std::int64_t ring_bytes(const dist::Cut& cut, std::int64_t voxel, std::int64_t warped,
                        std::int64_t gradient);

/// Samples the moving image of a level, of which every rank owns a part. The bits of the samples do
/// not depend on the way in which a rank gets at the image.
class MovingSamples {
 public:
  /// @param params      the map from fixed to moving voxels
  /// @param domain      the whole fixed image
  /// @param image       stored over at least what this rank owns of its grid; outlives this
  /// @param mask        on the same grid, or null on all ranks; outlives this
  /// @param fixed_mask  over what will be warped, or null; outlives this
  MovingSamples(const sampler::Params& params, const Box& domain, const ImageRef& image,
                const Image<std::uint8_t>* mask, View<const std::uint8_t> fixed_mask,
                const MovingLimit& limit);

  /// Uses Pair::widen_moving from now on, so that a fetched box needs no second copy of the voxels
  /// that this rank owns.
  void widen_with(std::function<const ImageRef&(const Box&)> widen) { widen_ = std::move(widen); }

  /// Fetches what the calls below need for this displacement, which must not change before them.
  /// Collective.
  /// @param warped        voxels that will be warped; the same at every call
  /// @param gradient      voxels whose gradient will be computed; the same at every call. One of
  ///                      `warped` and `gradient` contains the other; both contain what this rank
  ///                      owns
  /// @param displacement  [3,z,y,x] u [voxels], stored over at least the intersection of both, and
  ///                      over both if samples_at_once()
  /// @param change        length of the step by which the displacement differs from that of the
  ///                      last call, after composition and smoothing [voxels]; infinity: unknown
  void prepare(Context& ctx, dist::Comm& comm, const Box& warped, const Box& gradient,
               VectorView<const float> displacement, double change);
  /// Whether prepare() may already sample all voxels of `warped` and `gradient`.
  bool samples_at_once() const {
    const MovingAccess way = access_.value_or(limit_.access);
    return way == MovingAccess::ring || way == MovingAccess::automatic;
  }
  /// Writes the warped image over `box`; NaN where a sample is outside or masked.
  void warp(Context& ctx, const Box& box, VectorView<const float> displacement,
            View<float> warped) const;
  /// Gradient w.r.t. u over `box`, from d(cost)/d(warped).
  void add_gradient(Context& ctx, const Box& box, VectorView<const float> displacement,
                    View<const float> grad_warped, const ScaledGradient& to) const;

  /// The way in which all ranks get at the image; known after the first prepare().
  std::optional<MovingAccess> access() const { return access_; }

 private:
  void choose(Context& ctx, dist::Comm& comm, const Box& warped, const Box& gradient,
              VectorView<const float> displacement);
  void measure(Context& ctx, dist::Comm& comm, const Box& box,
               VectorView<const float> displacement);
  Box reached(const Box& box, double change) const;
  void hold(Context& ctx, dist::Comm& comm, const Box& box);
  void pass_round(Context& ctx, dist::Comm& comm, const Box& warped, const Box& gradient,
                  VectorView<const float> displacement);

  sampler::Params params_;
  Box domain_;
  ImageRef image_;
  std::function<const ImageRef&(const Box&)> widen_;
  const Image<std::uint8_t>* mask_;
  View<const std::uint8_t> fixed_mask_;
  MovingLimit limit_;
  std::optional<MovingAccess> access_;  ///< chosen by the first prepare()
  Vec3 least_{}, most_{};  ///< of all displacements, when they were last measured [voxels]
  double drift_ = std::numeric_limits<double>::infinity();  ///< by how much they may have changed
                                                            ///< since [voxels]
  Box held_;                                                ///< of the windows
  dist::Window window_;
  dist::MaskWindow mask_window_;
  std::optional<dist::Ring> ring_;
  Field<float> values_;        ///< of the ring: samples of all `warped` voxels
  VectorField<float> slopes_;  ///< and their derivatives along z, y, x of the moving image
};

}  // namespace ffdp::registration
