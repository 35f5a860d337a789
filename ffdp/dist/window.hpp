// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "ffdp/core/image.hpp"
#include "ffdp/dist/fetch.hpp"

namespace ffdp::dist {

/// The voxels of a box of an image whose parts lie with the ranks: fetched from them, or, where
/// every rank has what it asks for, the image itself.
class Window {
 public:
  Window() = default;
  /// Collective. Without a copy, `image` must outlive the window.
  /// @param image  stored over at least what this rank owns of its grid
  Window(const Context& ctx, Comm& comm, const ImageRef& image, const Box& box);

  const ImageView& view() const { return view_; }

 private:
  ImageView view_;
  std::shared_ptr<const void> kept_;
};

/// Likewise of a scalar field.
template <class T>
class FieldWindow {
 public:
  FieldWindow() = default;
  /// Collective.
  /// @param mine  stored over at least what this rank owns; outlives the window of an uncut domain
  FieldWindow(const Context& ctx, Comm& comm, const Cut& cut, View<const T> mine, const Box& box)
      : view_(mine) {
    if (cut.whole()) return;
    kept_ = Field<T>(ctx.backend, box);
    Fetch(comm, cut, box)(ctx, mine, kept_.view());
    view_ = std::as_const(kept_).view();
  }
  const View<const T>& view() const { return view_; }

 private:
  View<const T> view_;
  Field<T> kept_;
};

/// Likewise of a mask. Null data where `mask` is null, on all ranks. Only rims travel; what a rank
/// owns is copied once more, because several images may share a mask: 1 byte per voxel, where a
/// registration takes about 48, and once a level (of 38 million voxels a rank, 45 ms on one core).
class MaskWindow : public FieldWindow<std::uint8_t> {
 public:
  MaskWindow() = default;
  MaskWindow(const Context& ctx, Comm& comm, const Image<std::uint8_t>* mask, const Box& box);
};

/// Likewise of a vector field.
class VectorWindow {
 public:
  /// Collective.
  /// @param field  stored over at least what this rank owns; outlives the window of an uncut domain
  VectorWindow(const Context& ctx, Comm& comm, const Cut& cut, const VectorField<float>& field,
               const Box& box);
  const VectorView<const float>& view() const { return view_; }

 private:
  VectorView<const float> view_;
  VectorField<float> kept_;
};

}  // namespace ffdp::dist
