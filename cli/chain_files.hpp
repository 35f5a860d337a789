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

/// Files of transforms, warps to be judged and masks, on one rank or on many.
namespace ffdp::cli {

/// Adds -t, --transform FILE or [FILE,1], repeatable.
CLI::Option* add_transforms(CLI::App& command, std::vector<std::string>& transforms);

/// A -t argument: FILE or [FILE,useInverse], with or without blanks.
struct TransformArgument {
  std::string path;
  bool inverted = false;
};
TransformArgument parse_transform_argument(const std::string& text);

/// A chain, and whether ITK has it as 2-D or as 3-D transforms.
struct Chain : transforms::CompositeTransform {
  int dimension = 3;  ///< 2 where all of it was read from 2-D transforms
};
/// Likewise, of fields that have not been read yet.
struct ChainFiles : transforms::ChainSource {
  int dimension = 3;
};

/// The chain of -t arguments, ANTs' way: the moving image meets the last one first, so a point of
/// the reference meets the first one first. Of warps in NIfTI files each rank reads what it needs.
/// Fields of other files are held by rank 0. The inverse of a warp is made by all ranks, each of
/// which holds its share. Collective; `comm` must outlive the chain.
ChainFiles open_chain(Context& ctx, dist::Comm& comm, const std::vector<std::string>& arguments);
/// The same in memory, on one rank.
Chain read_chain(Context& ctx, const std::vector<std::string>& arguments);

/// Writes a chain by the ending of `path`: a warp (.nii, .nii.gz) on `grid`, of which each rank
/// makes its planes; an affine (.mat, .txt, .tfm) or a composite (.h5), which rank 0 makes alone.
/// `grid` may be null where none is needed. Collective.
void write_chain(Context& ctx, dist::Comm& comm, const std::string& path, const ChainFiles& chain,
                 const Grid* grid, int compression_level);
/// The same of a chain in memory, on one rank.
void write_chain(Context& ctx, const std::string& path, const Chain& chain, const Grid* grid,
                 int compression_level);

/// What this rank owns of a warp to be judged, NaN where it holds no displacement; says how many
/// voxels that are. Of a composite all of it, on the grid of its first field. Collective.
DisplacementImage read_warp(Context& ctx, dist::Comm& comm, const std::string& path);
DisplacementImage read_warp(Context& ctx, const std::string& path);

/// The same in voxels, for its Jacobian. Collective.
struct VoxelWarp {
  Grid grid;
  dist::Cut cut;
  /// [3,z,y,x] components z, y, x [voxels], stored over what this rank owns and, within the grid,
  /// one plane more on each side
  VectorField<float> u;
};
VoxelWarp read_voxel_warp(Context& ctx, dist::Comm& comm, const std::string& path);

/// What this rank owns of the mask in an image file: inside where the value is neither 0 nor NaN.
/// Throws where none is. Collective.
Image<std::uint8_t> read_mask(dist::Comm& comm, const std::string& path);
Image<std::uint8_t> read_mask(const std::string& path);

}  // namespace ffdp::cli
