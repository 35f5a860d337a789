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
  std::int64_t bytes = 0;  ///< that there is room for, the same for all ranks; 0: unknown
  Backend backend = Backend::cpu;
  double motion = std::numeric_limits<double>::infinity();  ///< most of a whole level [voxels]
};

/// By how much displacements may change before a box that has been fetched is too small [voxels].
double fetched_margin(double motion);

/// What the ways to the moving image take of the rank that needs most [bytes].
struct MovingNeeds {
  std::int64_t replicate = 0, fetch = 0, ring = 0;
};

/// The way that `limit` asks for; where that is automatic: replicate where it fits and, on CPUs,
/// takes no more than fetch; else fetch where it fits or takes no more than the ring; else the
/// ring. Where the room is unknown, all fit but, on a GPU, replicate.
MovingAccess choose_access(const MovingLimit& limit, const MovingNeeds& needs);

/// Bytes of the ring beside what a rank owns of the moving image: parts of it, and the samples.
/// @param cut       of the moving image
/// @param voxel     bytes of a voxel of it and of its mask
/// @param warped    voxels that are warped
/// @param gradient  voxels whose gradient is asked for
std::int64_t ring_bytes(const dist::Cut& cut, std::int64_t voxel, std::int64_t warped,
                        std::int64_t gradient);

/// Samples of the moving image of a level, of which every rank owns a part. Their bits do not
/// depend on the way that a rank gets at the image.
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

  /// From now on voxels of other ranks are not copied together with one's own: see
  /// Pair::widen_moving.
  void widen_with(std::function<const ImageRef&(const Box&)> widen) { widen_ = std::move(widen); }

  /// Makes ready what the calls below need with this displacement, which must stay as it is until
  /// then. Collective.
  /// @param warped        voxels that will be warped, the same ones at every call, as `gradient`
  /// @param gradient      voxels whose gradient will be asked for; these hold those in `warped`, or
  ///                      the other way round, and both hold what this rank owns
  /// @param displacement  [3,z,y,x] u [voxels], over at least those in both, and over all of them
  ///                      where samples_at_once()
  /// @param change        length of the step that made it from that of the last call, by
  ///                      composition and averages; infinity: it may be any [voxels]
  void prepare(Context& ctx, dist::Comm& comm, const Box& warped, const Box& gradient,
               VectorView<const float> displacement, double change);
  /// Whether prepare() may sample all that will be asked for.
  bool samples_at_once() const {
    const MovingAccess way = access_.value_or(limit_.access);
    return way == MovingAccess::ring || way == MovingAccess::automatic;
  }
  /// The warped image over `box`; NaN where a sample is outside or masked.
  void warp(Context& ctx, const Box& box, VectorView<const float> displacement,
            View<float> warped) const;
  /// d(cost)/du over `box`, from `scale` times that w.r.t. the warped image.
  void add_gradient(Context& ctx, const Box& box, float scale, VectorView<const float> displacement,
                    View<const float> grad_warped, VectorView<float> grad_u,
                    sampler::Into into) const;

  /// How this and all other ranks get at the image; known after the first prepare().
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
