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

/// Chains of transforms whose fields lie in files or with other ranks, and of which a rank gets the
/// parts that its own voxels or points need. What is called here is collective.
namespace ffdp::transforms {

/// A displacement of which any box can be had.
struct FieldSource {
  Grid grid;
  /// The field, stored over at least `box` [voxels of grid], which may be empty. Collective.
  std::function<std::shared_ptr<const DisplacementImage>(const Box& box)> read;
};

/// A displacement that is cut among the ranks. `comm` must outlive the source.
/// @param own  stored over at least what this rank owns of its grid
FieldSource source_of_shards(dist::Comm& comm, const std::shared_ptr<const DisplacementImage>& own);

/// Where the voxels of a box may get to on their way through a chain.
class Bounds {
 public:
  /// @param box  voxels of `grid`
  Bounds(const Grid& grid, const Box& box);
  void pass(const Affine& affine);
  /// @param field  stored over at least voxels(field.grid, 1)
  void pass(Context& ctx, const DisplacementImage& field);
  /// Voxels that samples there may read; empty where none of them is inside.
  /// @param halo  voxels on either side of a sample (points::halo)
  Box voxels(const Grid& grid, int halo) const;

 private:
  bool empty_;
  Affine map_;             ///< index to where the affines lead [mm]
  Box box_;                ///< [voxels]
  Vec3 least_{}, most_{};  ///< what the fields add [mm]
};

class ChainSource {
 public:
  using Step = std::variant<Affine, FieldSource>;

  ChainSource() = default;
  /// Of a chain in memory.
  explicit ChainSource(const CompositeTransform& chain);
  /// Appends a step that a point meets after all earlier ones.
  void append(const Affine& affine) { steps_.emplace_back(affine); }
  void append(const FieldSource& field) { steps_.emplace_back(field); }
  void append(const ChainSource& other);
  const std::vector<Step>& steps() const { return steps_; }
  /// The first displacement; null where there is none.
  const FieldSource* first_field() const;

  /// The chain for the voxels of a box: its fields are stored over what these need.
  struct Reaching {
    CompositeTransform chain;
    Bounds bounds;  ///< of the voxels behind the chain
  };
  /// @param box  voxels of `grid`
  Reaching reaching(Context& ctx, const Grid& grid, const Box& box) const;
  /// The chain with whole fields on rank 0, and with empty ones on the others.
  CompositeTransform gathered(const dist::Comm& comm) const;
  /// Maps points [mm] in place, which all ranks have; each rank maps a share of them.
  void map(Context& ctx, dist::Comm& comm, std::vector<Vec3>& points) const;

 private:
  std::vector<Step> steps_;
};

}  // namespace ffdp::transforms
