// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "ffdp/core/context.hpp"
#include "ffdp/core/plane_sums.hpp"
#include "ffdp/core/view.hpp"

/// Determinant of the Jacobian of the warp phi(x) = x + u(x): how much the warp expands or folds
/// space. Differences are central inside the domain and one-sided at its faces. Along an axis of
/// one voxel the warp is taken as constant, so a slice gives the 2-D determinant. The determinant
/// in world coordinates is the same number.
namespace ffdp::jacobian {

/// Halo the displacement needs around the compute box [voxels].
constexpr int halo() { return 1; }

/// Sums over voxels; += adds those of another shard.
struct Statistics {
  std::int64_t count = 0;      ///< voxels with a finite determinant [voxels]
  std::int64_t missing = 0;    ///< those without: NaN or infinite displacements nearby [voxels]
  std::int64_t folded = 0;     ///< finite determinants <= 0 [voxels]
  double min = 0;              ///< smallest determinant [1]; 0 where count is 0
  double max = 0;              ///< largest determinant [1]; 0 where count is 0
  double sum_log = 0;          ///< sum of log(determinant) over the voxels not folded [1]
  double sum_log_squared = 0;  ///< sum of its square [1]
  double sum_log_size = 0;     ///< sum of its absolute value [1]

  Statistics& operator+=(const Statistics& other) {
    missing += other.missing;
    if (other.count == 0) return *this;
    min = count == 0 ? other.min : std::min(min, other.min);
    max = count == 0 ? other.max : std::max(max, other.max);
    count += other.count;
    folded += other.folded;
    sum_log += other.sum_log;
    sum_log_squared += other.sum_log_squared;
    sum_log_size += other.sum_log_size;
    return *this;
  }
  /// Standard deviation of log(determinant) over the voxels not folded [1]; 0 without any.
  double sd_log() const;
  /// |log(determinant)| of the voxels not folded, each weighted by itself: how much volumes change
  /// where they change [1]. A background where nothing moves does not lower it. 0 without any.
  double mean_change() const;
  /// How large the region is in which volumes change: the edge of a cube of equal volume [voxels],
  /// cbrt((sum |log|)^2 / sum log^2). A background where nothing moves does not count. 0 without
  /// any change.
  double extent() const;
};

/// Determinant at every voxel of `compute`.
/// @param domain        whole image; decides where differences become one-sided
/// @param compute       voxels to produce
/// @param displacement  [3,z,y,x] u [voxels], stored over grow(compute, halo) inside domain
/// @param determinant   [z,y,x] det(d(x + u(x))/dx) [1], stored over compute; output
void forward(Context& ctx, const Box& domain, const Box& compute,
             const VectorView<const float>& displacement, const View<float>& determinant);

/// Statistics of the determinant over `compute`, without storing it.
/// @param displacement  as in forward
/// @param mask          [z,y,x] nonzero where a voxel counts, stored over compute; null for all
PlaneSums<Statistics> statistics(Context& ctx, const Box& domain, const Box& compute,
                                 const VectorView<const float>& displacement,
                                 const View<const std::uint8_t>& mask);

/// The voxels of `compute` whose determinant is below `least` or NaN, in the order of memory.
/// Meant for a small number of voxels, such as folds.
/// @param displacement  as in forward
std::vector<Int3> voxels_below(Context& ctx, const Box& domain, const Box& compute, double least,
                               const VectorView<const float>& displacement);

}  // namespace ffdp::jacobian
