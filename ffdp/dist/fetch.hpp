// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>
#include <vector>

#include "ffdp/core/context.hpp"
#include "ffdp/core/field.hpp"
#include "ffdp/core/image_view.hpp"
#include "ffdp/dist/cut.hpp"

namespace ffdp::dist {

/// A view of any element type and number of components, reduced to what copying its voxels needs.
struct Strided {
  std::byte* data = nullptr;
  Box stored;
  std::int64_t stride_c = 0, stride_z = 0, stride_y = 0;  ///< [elements]
  int components = 1;
  std::size_t element = 0;  ///< [bytes]

  template <class T>
  Strided(View<T> v)
      : data(bytes_of(v.data)),
        stored(v.stored),
        stride_z(v.stride_z),
        stride_y(v.stride_y),
        element(sizeof(T)) {}
  template <class T>
  Strided(VectorView<T> v)
      : data(bytes_of(v.data)),
        stored(v.stored),
        stride_c(v.stride_c),
        stride_z(v.stride_z),
        stride_y(v.stride_y),
        components(3),
        element(sizeof(T)) {}
  /// The same kind of voxels, dense over `box`, in other memory.
  Strided dense(std::byte* memory, const Box& box) const {
    Strided other = *this;
    other.data = memory;
    other.stored = box;
    other.stride_y = box.size(2);
    other.stride_z = other.stride_y * box.size(1);
    other.stride_c = other.stride_z * box.size(0);
    return other;
  }
  Strided(const ImageView& v)
      : data(bytes_of(v.data)),
        stored(v.stored),
        stride_z(v.stride_z),
        stride_y(v.stride_y),
        element(static_cast<std::size_t>(ffdp::bytes_of(v.storage))) {}

 private:
  static std::byte* bytes_of(const void* p) {
    return static_cast<std::byte*>(const_cast<void*>(p));
  }
};

/// Copies the voxels of a box within the memory of the context's backend, without waiting.
void copy_voxels(const Context& ctx, const Strided& from, const Strided& to, const Box& box);

/// Gives every rank a box of a field that is cut among them: a halo, what another grid reaches, or
/// everything. The pattern (who sends what to whom) is made once and serves any field that is cut
/// the same way.
class Fetch {
 public:
  /// Collective. A rank that wants nothing passes an empty box.
  /// @param wanted  voxels of cut.domain() that this rank wants to have
  Fetch(Comm& comm, const Cut& cut, const Box& wanted);

  const Box& wanted() const { return wanted_; }
  /// Bytes that this rank sends to others in one use, for voxels of `bytes` bytes.
  std::int64_t bytes_sent(std::size_t bytes) const;

  /// Voxels under way.
  class Transfer {
   public:
    explicit Transfer(std::unique_ptr<struct TransferState> state);
    Transfer(Transfer&&) noexcept;
    Transfer& operator=(Transfer&&) noexcept;
    Transfer(const Transfer&) = delete;
    Transfer& operator=(const Transfer&) = delete;
    ~Transfer();
    /// Returns when `to` holds what was wanted.
    void finish();

   private:
    std::unique_ptr<struct TransferState> state_;
  };

  /// Starts to fetch; `from` must not change until finish(). On CUDA, the host does not wait for
  /// the device if both views hold whole planes or rows. Collective.
  /// @param from  stored over at least what this rank owns
  /// @param to    stored over at least wanted(); may be the same memory as `from`, as for a halo
  Transfer start(const Context& ctx, const Strided& from, const Strided& to) const;
  void operator()(const Context& ctx, const Strided& from, const Strided& to) const {
    start(ctx, from, to).finish();
  }

  /// The adjoint: adds the voxels in the wanted boxes of all ranks to those of their owners, in the
  /// order of the ranks. float32 only.
  /// @param from  stored over at least wanted(); if `to` is the same memory, voxels that this rank
  ///              owns are not added
  /// @param to    stored over at least what this rank owns; added to
  void adjoint(const Context& ctx, const Strided& from, const Strided& to) const;

 private:
  struct Part {
    int rank;
    Box box;
  };
  Comm* comm_;
  Box own_, wanted_;
  std::vector<Part> gives_,
      takes_;  ///< boxes for and from other ranks, in ascending order of the ranks
  Box kept_;   ///< wanted and owned by this rank
};

/// A new field with the voxels of `box`, fetched from their owners. Collective.
/// @param mine  stored over at least what this rank owns
template <template <class> class AnyField, class T>
AnyField<T> fetched(const Context& ctx, Comm& comm, const Cut& cut, const AnyField<T>& mine,
                    const Box& box) {
  AnyField<T> result(mine.backend(), box);
  Fetch(comm, cut, box)(ctx, std::as_const(mine).view(), result.view());
  return result;
}

}  // namespace ffdp::dist
