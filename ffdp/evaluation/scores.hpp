// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ffdp/core/context.hpp"
#include "ffdp/core/image.hpp"
#include "ffdp/dist/cut.hpp"
#include "ffdp/ops/jacobian/jacobian.hpp"

/// Scores of a registration. docs/evaluation.md defines each figure.
namespace ffdp::evaluation {

/// One label of two label maps.
struct LabelScore {
  std::int64_t label = 0;
  std::int64_t fixed_voxels = 0, warped_voxels = 0;
  double dice = 0;  ///< [1]
  double hd90 = 0,
         hd95 = 0;  ///< percentile of surface distances [mm]; NaN if a map lacks the label
};

struct LabelScores {
  std::vector<LabelScore> labels;       ///< every label but 0 that either map has, ascending
  int common = 0;                       ///< labels that both maps have; the means are over these
  double mean_dice = 0;                 ///< [1]
  double inverse_dice = 0;              ///< InvDice: mean weighted by 1 / (voxels in fixed) [1]
  double pooled_dice = 0;               ///< 2 sum |F n W| / sum (|F| + |W|) over all labels [1]
  double mean_hd90 = 0, mean_hd95 = 0;  ///< [mm]
};

/// Compares label maps on one grid.
/// @param spacing  [mm], z, y, x
/// @param fixed    [z,y,x]; 0 is background
/// @param warped   [z,y,x] stored as `fixed`
LabelScores compare_labels(Context& ctx, const Vec3& spacing, const View<const std::int32_t>& fixed,
                           const View<const std::int32_t>& warped);
/// The same for maps that are cut among ranks. One rank computes the surface distances of a label;
/// it fetches the box that the label fills in both maps. Collective.
/// @param cut  both maps are stored over what this rank owns
LabelScores compare_labels(Context& ctx, dist::Comm& comm, const dist::Cut& cut,
                           const Vec3& spacing, const View<const std::int32_t>& fixed,
                           const View<const std::int32_t>& warped);

struct Similarity {
  double ncc = 0;           ///< correlation of the intensities [1]
  double mi = 0;            ///< Mattes mutual information, 32 bins [nat]
  std::int64_t voxels = 0;  ///< compared: finite in both and in the mask
};

/// @param mask  [z,y,x] nonzero where a voxel counts; null for all
Similarity compare_images(Context& ctx, const View<const float>& fixed,
                          const View<const float>& warped, const View<const std::uint8_t>& mask);
/// The same for images that are cut among ranks. Collective.
/// @param cut  images and mask are stored over what this rank owns
Similarity compare_images(Context& ctx, dist::Comm& comm, const dist::Cut& cut,
                          const View<const float>& fixed, const View<const float>& warped,
                          const View<const std::uint8_t>& mask);

/// Target registration errors: distances between mapped points and the points where they should be
/// [mm]; NaN if there are none.
struct PointScores {
  std::int64_t count = 0;
  std::int64_t left_out = 0;  ///< pairs with a coordinate that is NaN or infinite
  double mean = 0, sd = 0, median = 0, p95 = 0, max = 0;
};
PointScores compare_points(std::span<const Vec3> mapped, std::span<const Vec3> wanted);

/// Distances between two warps [mm] at the voxels of their common grid.
/// @param mask  [z,y,x] nonzero where a voxel counts, stored as both; null for all
PointScores compare_warps(const VectorView<const float>& warp, const VectorView<const float>& truth,
                          const View<const std::uint8_t>& mask);
/// The same for warps that are cut among ranks. Rank 0 gathers the distances, 8 bytes per voxel,
/// for their percentiles. Collective.
/// @param cut  warps and mask are stored over what this rank owns
PointScores compare_warps(dist::Comm& comm, const dist::Cut& cut,
                          const VectorView<const float>& warp, const VectorView<const float>& truth,
                          const View<const std::uint8_t>& mask);

}  // namespace ffdp::evaluation
