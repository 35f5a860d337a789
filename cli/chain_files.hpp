// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "ffdp/core/context.hpp"
#include "ffdp/dist/comm.hpp"
#include "ffdp/dist/cut.hpp"
#include "ffdp/io/nifti.hpp"
#include "ffdp/io/transform_file.hpp"
#include "ffdp/transforms/chain_source.hpp"
#include "ffdp/transforms/composite_transform.hpp"

/// Reads and writes files of transforms, warps and masks, on one rank or on many.
namespace ffdp::cli {

/// Adds -t, --transform FILE or [FILE,1], repeatable.
CLI::Option* add_transforms(CLI::App& command, std::vector<std::string>& transforms);

/// A -t argument: FILE or [FILE,useInverse], with or without blanks.
struct TransformArgument {
  std::string path;
  bool inverted = false;
};
TransformArgument parse_transform_argument(const std::string& text);

/// A chain, and whether its transforms in ITK are 2-D or 3-D ones.
struct Chain : transforms::CompositeTransform {
  int dimension = 3;  ///< 2 if all of it was read from 2-D transforms
};
/// The same, with fields that have not been read yet.
struct ChainFiles : transforms::ChainSource {
  int dimension = 3;
};

/// The chain of -t arguments in ANTs' order: a point of the reference is mapped by the first one
/// first. Each rank reads what it needs of warps in NIfTI files. Rank 0 holds the fields of other
/// files. All ranks make the inverse of a warp together; each holds its share. Collective; `comm`
/// must outlive the chain.
ChainFiles open_chain(Context& ctx, dist::Comm& comm, const std::vector<std::string>& arguments);
/// The same in memory, on one rank.
Chain read_chain(Context& ctx, const std::vector<std::string>& arguments);

/// Writes a chain in the format of the ending of `path`: a warp (.nii, .nii.gz) on `grid`, of which
/// each rank makes its planes; an affine (.mat, .txt, .tfm) or a composite (.h5), which rank 0
/// makes alone. `grid` may be null if none is needed. Collective.
void write_chain(Context& ctx, dist::Comm& comm, const std::string& path, const ChainFiles& chain,
                 const Grid* grid, int compression_level);
/// The same for a chain in memory, on one rank.
void write_chain(Context& ctx, const std::string& path, const Chain& chain, const Grid* grid,
                 int compression_level);

/// What this rank owns of a warp that is to be evaluated. Vectors that are no displacements become
/// NaN; their number is printed. A composite is read whole, on the grid of its first field.
/// Collective.
DisplacementImage read_warp(Context& ctx, dist::Comm& comm, const std::string& path);
DisplacementImage read_warp(Context& ctx, const std::string& path);

/// The same in voxels, for the Jacobian. Collective.
struct VoxelWarp {
  Grid grid;
  dist::Cut cut;
  /// [3,z,y,x] components z, y, x [voxels], stored over what this rank owns and, within the grid,
  /// one plane more on each side
  VectorField<float> u;
};
VoxelWarp read_voxel_warp(Context& ctx, dist::Comm& comm, const std::string& path);

/// What this rank owns of the mask in an image file. A voxel is inside if its value is neither 0
/// nor NaN; throws if none is. Collective.
Image<std::uint8_t> read_mask(dist::Comm& comm, const std::string& path);
Image<std::uint8_t> read_mask(const std::string& path);

}  // namespace ffdp::cli
