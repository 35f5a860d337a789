// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "ffdp/core/image.hpp"
#include "ffdp/dist/fetch.hpp"

namespace ffdp::dist {

/// The voxels of a box of an image that is cut among the ranks. They are fetched from their owners;
/// if every rank has what it asks for, the window is the image itself.
class Window {
 public:
  Window() = default;
  /// Collective. `image` must outlive the window, which may not be a copy.
  /// @param image  stored over at least what this rank owns of its grid
  Window(const Context& ctx, Comm& comm, const ImageRef& image, const Box& box);

  const ImageView& view() const { return view_; }

 private:
  ImageView view_;
  std::shared_ptr<const void> kept_;
};

/// A window of a scalar field.
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

/// A window of a mask. Its data are null if `mask` is null, on all ranks alike. Only rims travel.
/// What a rank owns is copied, because several images may share a mask: 1 byte per voxel (a
/// registration takes about 48), once per level (45 ms on one core for 38 million voxels).
class MaskWindow : public FieldWindow<std::uint8_t> {
 public:
  MaskWindow() = default;
  MaskWindow(const Context& ctx, Comm& comm, const Image<std::uint8_t>* mask, const Box& box);
};

/// A window of a vector field.
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
