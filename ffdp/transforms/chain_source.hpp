// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <variant>
#include <vector>

#include "ffdp/core/context.hpp"
#include "ffdp/core/image.hpp"
#include "ffdp/dist/comm.hpp"
#include "ffdp/transforms/composite_transform.hpp"

/// Chains of transforms whose fields are in files or on other ranks. A rank gets the parts that its
/// own voxels or points need. All calls here are collective.
namespace ffdp::transforms {

/// A displacement that can be read box by box.
struct FieldSource {
  Grid grid;
  /// The field, stored over at least `box` [voxels of grid], which may be empty. Collective.
  std::function<std::shared_ptr<const DisplacementImage>(const Box& box)> read;
};

/// A displacement that is cut among the ranks. `comm` must outlive the source.
/// @param own  stored over at least what this rank owns of its grid
FieldSource source_of_shards(dist::Comm& comm, const std::shared_ptr<const DisplacementImage>& own);

/// Bounds of the points to which a chain may take the voxels of a box.
class Bounds {
 public:
  /// @param box  voxels of `grid`
  Bounds(const Grid& grid, const Box& box);
  void pass(const Affine& affine);
  /// @param field  stored over at least voxels(field.grid, 1)
  void pass(Context& ctx, const DisplacementImage& field);
  /// Voxels of `grid` that samples at these points may read; empty if no point is inside.
  /// @param halo  voxels on either side of a sample (points::halo)
  Box voxels(const Grid& grid, int halo) const;

 private:
  bool empty_;
  Affine map_;             ///< voxel index to the point after the affines [mm]
  Box box_;                ///< [voxels]
  Vec3 least_{}, most_{};  ///< bounds of what the fields add [mm]
};

class ChainSource {
 public:
  using Step = std::variant<Affine, FieldSource>;

  ChainSource() = default;
  /// A source of a chain in memory.
  explicit ChainSource(const CompositeTransform& chain);
  /// Appends a step that is applied to a point after all earlier ones.
  void append(const Affine& affine) { steps_.emplace_back(affine); }
  void append(const FieldSource& field) { steps_.emplace_back(field); }
  void append(const ChainSource& other);
  const std::vector<Step>& steps() const { return steps_; }
  /// The first displacement; null if there is none.
  const FieldSource* first_field() const;

  /// The chain for the voxels of a box. Its fields are stored over what these voxels need.
  struct Reaching {
    CompositeTransform chain;
    Bounds bounds;  ///< of the voxels after the chain
  };
  /// @param box  voxels of `grid`
  Reaching reaching(Context& ctx, const Grid& grid, const Box& box) const;
  /// The chain with whole fields on rank 0, and with empty ones on the others.
  CompositeTransform gathered(const dist::Comm& comm) const;
  /// Maps points [mm] in place. All ranks pass the same points and get all results; each rank maps
  /// a share of them.
  void map(Context& ctx, dist::Comm& comm, std::vector<Vec3>& points) const;

 private:
  std::vector<Step> steps_;
};

}  // namespace ffdp::transforms
