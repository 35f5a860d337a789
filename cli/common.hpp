// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <future>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "ffdp/core/context.hpp"
#include "ffdp/io/nifti.hpp"
#include "ffdp/io/transform_file.hpp"
#include "ffdp/transforms/composite_transform.hpp"

namespace ffdp::cli {

/// Options that every command has.
struct Common {
  int threads = 0;  ///< 0: as many as the process may use
  bool quiet = false;
};
/// Adds --threads and --quiet.
void add_common(CLI::App& command, Common& common);
/// Adds --device to a command that can use it.
void add_device(CLI::App& command, std::string& device);

/// A device of --device that is being made ready while the caller does something else, for a CUDA
/// context takes some tenths of a second.
class DeviceStart {
 public:
  /// @param device  auto, cpu, cuda or cuda:N
  explicit DeviceStart(const std::string& device);
  /// Waits, and makes it the device of the calling thread. Throws where a device was asked for that
  /// cannot be used; `auto` falls back to the CPU.
  Backend wait() const;

 private:
  int index_ = 0;
  std::shared_future<Backend> ready_;
};

/// Threads where nobody says: as many as ITK's or OpenMP's variable says, as in ANTs; else all
/// processors that this process may use.
int default_threads();

/// CPU context; sends the library's warnings to stderr unless quiet.
Context start(const Common& common);

/// The mask in an image file: inside where the value is neither 0 nor NaN. Throws where none is.
Image<std::uint8_t> read_mask(const std::string& path);

/// A --default-value: nothing for "min", the least of an image. Throws for what is no number.
std::optional<double> parse_outside(const std::string& text);

/// ", N left out", or nothing for 0.
std::string left_out(std::int64_t count);

/// A warp to be judged, NaN where it holds no displacement; says how many voxels that are. Of a
/// composite all of it, on the grid of its first field.
DisplacementImage read_warp(Context& ctx, const std::string& path);

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

/// The chain of -t arguments, ANTs' way: the moving image meets the last one first, so a point of
/// the reference meets the first one first.
Chain read_chain(Context& ctx, const std::vector<std::string>& arguments);

/// Adds --compression.
void add_compression(CLI::App& command, int& level);

/// Writes a chain by the ending of `path`: a warp (.nii, .nii.gz) on `grid`, an affine (.mat, .txt,
/// .tfm) or a composite (.h5). `grid` may be null where none is needed.
void write_chain(Context& ctx, const std::string& path, const Chain& chain, const Grid* grid,
                 int compression_level);

}  // namespace ffdp::cli
