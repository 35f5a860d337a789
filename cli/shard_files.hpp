// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "ffdp/core/context.hpp"
#include "ffdp/core/image.hpp"
#include "ffdp/dist/cut.hpp"
#include "ffdp/dist/fetch.hpp"
#include "ffdp/io/atomic_file.hpp"
#include "ffdp/io/nifti.hpp"

/// Files that many ranks read and write together; no rank holds a whole file. All calls are
/// collective unless the comment says otherwise.
namespace ffdp::cli {

/// Values that write_planes makes at a time. On a device more of them, because the host waits for
/// each piece.
inline std::int64_t values_at_once(Backend backend) {
  return std::int64_t{1} << (backend == Backend::cpu ? 21U : 23U);
}

/// Calls body(slab) for slabs of whole planes of a box, of about `voxels` each, in file order.
template <class Body>
void for_each_slab(const Box& box, std::int64_t voxels, Body&& body) {
  const std::int64_t plane = std::max<std::int64_t>(std::int64_t{box.size(1)} * box.size(2), 1);
  const int planes = static_cast<int>(std::max<std::int64_t>(voxels / plane, 1));
  Box slab = box;
  for (int z = box.lo[0]; z < box.hi[0]; z += planes) {
    slab.lo[0] = z;
    slab.hi[0] = std::min(z + planes, box.hi[0]);
    body(static_cast<const Box&>(slab));
  }
}

/// An image file of which each rank gets the box that it names. Every rank reads its box of a raw
/// file itself. Rank 0 reads a compressed file and sends the boxes of the others.
class ShardReader {
 public:
  ShardReader(dist::Comm& comm, const std::string& path) : comm_(comm), reader_(path) {}

  const io::NiftiInfo& info() const { return reader_.info(); }
  /// The voxels of `box`, which may be empty.
  template <class T>
  Field<T> read(const Box& box, std::int64_t volume);
  /// The same, for the box that `out` is stored over, which has no gaps between rows and planes.
  template <class T>
  void read_into(std::int64_t volume, View<T> out);

 private:
  dist::Comm& comm_;
  io::NiftiReader reader_;
};

/// Reads what this rank owns of the image in a file of one volume.
template <class T>
Image<T> read_shard(dist::Comm& comm, const std::string& path);

/// Sends voxels of a field of rank 0 to all ranks.
/// @param box    [voxels] that `from` is stored over, known to all ranks
/// @param from   on rank 0
/// @param boxes  what each rank wants; it gets the part that lies in `box`
/// @param to     stored over at least what this rank wants of it
void hand_out(dist::Comm& comm, const Box& box, const dist::Strided& from,
              const std::vector<Box>& boxes, const dist::Strided& to);

/// A NIfTI file whose values the ranks make and compress. It has the bytes that io::NiftiWriter
/// alone would write. On one machine all ranks write their parts at the same time. On several
/// machines rank 0 writes everything, because a network file system may lose what two machines
/// write side by side.
class ShardWriter {
 public:
  /// @param options  with the threads of this rank
  ShardWriter(dist::Comm& comm, const std::string& path, const Grid& grid, const io::Series& series,
              const io::WriteOptions& options);
  /// See io::NiftiWriter::displacement.
  static ShardWriter displacement(dist::Comm& comm, const std::string& path, const Grid& grid,
                                  const io::WriteOptions& options);

  /// The planes of each volume or component that this rank writes; empty on some ranks if the grid
  /// is not cut.
  const Box& own() const { return own_; }
  /// 1, or the number of components of a displacement in the file.
  int components() const { return components_; }
  /// Writes the next values of this rank's planes, in file order. Not collective.
  template <class T>
  void write(const T* values, std::int64_t count);
  /// Ends a volume or component, after every rank has written its planes.
  void end_volume();
  void commit();

 private:
  using Open = std::function<io::NiftiWriter()>;
  ShardWriter(dist::Comm& comm, const std::string& path, const Grid& grid,
              const io::WriteOptions& options, const Open& open);
  void begin_volume();
  void find_room();
  std::int64_t make_room(int rank, std::span<const std::int64_t> sizes);
  void append_of(int rank, std::span<const std::int64_t> sizes);

  dist::Comm& comm_;
  std::string path_;
  Box domain_, own_;
  std::int64_t value_bytes_;
  io::NiftiPart part_;
  std::optional<io::NiftiWriter> writer_;  ///< on rank 0
  std::optional<io::FileRoom> room_;       ///< on all ranks, if each writes its own part
  int components_ = 1;
  std::int64_t position_ = 0;  ///< of the volume [bytes]
  std::int64_t written_ = 0;   ///< of this rank's planes [values]
};

/// Computes the values of the planes that `out` is stored over.
using MakePlanes = std::function<void(View<float> out)>;
/// Writes the next volume or component. Calls `make` for a few planes at a time, with memory of the
/// context's backend.
void write_planes(Context& ctx, ShardWriter& writer, const MakePlanes& make);

}  // namespace ffdp::cli
