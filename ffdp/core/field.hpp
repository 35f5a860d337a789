// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "ffdp/core/buffer.hpp"
#include "ffdp/core/view.hpp"

namespace ffdp {

/// Owning dense scalar array [z,y,x] over the box `stored`, uninitialised.
template <class T>
class Field {
 public:
  Field() = default;
  Field(Backend backend, const Box& stored)
      : buffer_(backend, static_cast<std::size_t>(stored.volume())), stored_(stored) {}

  const Box& stored() const { return stored_; }
  Backend backend() const { return buffer_.backend(); }
  bool empty() const { return buffer_.size() == 0; }
  std::int64_t size() const { return static_cast<std::int64_t>(buffer_.size()); }
  T* data() const { return buffer_.data(); }
  T* begin() const { return buffer_.data(); }
  T* end() const { return buffer_.data() + buffer_.size(); }
  View<T> view() { return make_view<T>(); }
  View<const T> view() const { return make_view<const T>(); }
  operator View<T>() { return view(); }
  operator View<const T>() const { return view(); }

 private:
  template <class U>
  View<U> make_view() const {
    return {buffer_.data(), stored_, std::int64_t{stored_.size(1)} * stored_.size(2),
            stored_.size(2)};
  }
  Buffer<T> buffer_;
  Box stored_;
};

/// Owning vector field [3,z,y,x], components z, y, x, uninitialised.
template <class T>
class VectorField {
 public:
  VectorField() = default;
  VectorField(Backend backend, const Box& stored)
      : buffer_(backend, 3 * static_cast<std::size_t>(stored.volume())), stored_(stored) {}

  const Box& stored() const { return stored_; }
  Backend backend() const { return buffer_.backend(); }
  bool empty() const { return buffer_.size() == 0; }
  T* data() const { return buffer_.data(); }
  T* begin() const { return buffer_.data(); }
  T* end() const { return buffer_.data() + buffer_.size(); }
  VectorView<T> view() { return make_view<T>(); }
  VectorView<const T> view() const { return make_view<const T>(); }
  operator VectorView<T>() { return view(); }
  operator VectorView<const T>() const { return view(); }

 private:
  template <class U>
  VectorView<U> make_view() const {
    return dense_vectors<U>(buffer_.data(), stored_);
  }
  Buffer<T> buffer_;
  Box stored_;
};

}  // namespace ffdp
