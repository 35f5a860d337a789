// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "ffdp/core/context.hpp"
#include "ffdp/core/image.hpp"
#include "ffdp/dist/cut.hpp"
#include "ffdp/io/nifti.hpp"

/// Files that many ranks read and write together; no rank holds a whole one.
namespace ffdp::cli {

/// What this rank owns of the image in a file of one volume. A raw file is read by every rank where
/// its part lies; a compressed one by rank 0, which hands on the parts of the others. Collective.
Image<float> read_shard(dist::Comm& comm, const std::string& path);

/// Fills `out` with the values of the planes that it is stored over.
using MakePlanes = std::function<void(View<float> out)>;

/// A float32 NIfTI file whose planes the ranks make and compress, and which rank 0 writes. Its
/// bytes do not depend on the number of ranks: gzip members begin at fixed planes. All calls are
/// collective.
class ShardWriter {
 public:
  /// An image, or with `displacement` one of those (io::NiftiWriter::displacement).
  enum class Content { image, displacement };
  ShardWriter(Context& ctx, dist::Comm& comm, const std::string& path, const Grid& grid,
              Content content, const io::WriteOptions& options);

  /// 1, or the components of a displacement in the file.
  int components() const { return components_; }
  /// Writes the next component. `make` is called for a few planes at a time, all of which this rank
  /// owns.
  void write(const MakePlanes& make);
  void commit();

 private:
  int member_planes() const;
  void make_and_pack(const MakePlanes& make, const Box& planes, View<const float> above);
  void collect();

  Context& ctx_;
  dist::Comm& comm_;
  dist::Cut cut_;
  io::NiftiPacker packer_;
  std::optional<io::NiftiWriter> writer_;  ///< on rank 0
  int components_ = 1;
  io::Packed packed_;        ///< of this component, as far as not written
  std::int64_t values_ = 0;  ///< in packed_
};

}  // namespace ffdp::cli
