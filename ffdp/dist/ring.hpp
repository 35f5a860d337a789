// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>

#include "ffdp/core/context.hpp"
#include "ffdp/core/image.hpp"
#include "ffdp/dist/cut.hpp"

namespace ffdp::dist {

/// Passes the parts of an image, and of its mask, round the ranks. Every rank sees each part once,
/// and holds two at a time: the next one arrives while the last one is used.
///
/// A part has the planes that a rank owns and the first one above them. So every cell of eight
/// neighbouring voxels lies in exactly one part.
class Ring {
 public:
  /// Collective.
  /// @param image  stored over at least what this rank owns of its grid; outlives the ring
  /// @param mask   on the same grid, or null on all ranks
  Ring(const Context& ctx, Comm& comm, const ImageRef& image, const Image<std::uint8_t>* mask);

  using Use = std::function<void(const ImageView& part, const View<const std::uint8_t>& mask)>;
  /// Calls `use` once for every part; the order differs from rank to rank. Collective.
  void pass(const Context& ctx, const Use& use);

  /// Memory of the ring, for `voxel` bytes per voxel and its mask [bytes].
  static std::int64_t bytes(const Cut& cut, std::int64_t voxel);
  /// What a rank sends in a pass on average: all parts but one, which differs from pass to pass
  /// [bytes].
  static std::int64_t bytes_sent(const Cut& cut, std::int64_t voxel);

 private:
  /// Room for any part.
  struct Memory {
    Buffer<std::byte> image, mask;
  };
  ImageView image_in(const Memory& memory, int number) const;
  View<std::uint8_t> mask_in(const Memory& memory, int number) const;

  Comm* comm_;
  Cut cut_;
  ImageView image_;
  View<const std::uint8_t> mask_;
  int held_;  ///< number of the part in here_
  Memory here_, next_;
};

}  // namespace ffdp::dist
