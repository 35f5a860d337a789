// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "ffdp/core/half.hpp"
#include "ffdp/core/view.hpp"

namespace ffdp {

/// How the voxels of an image are stored.
enum class Storage : std::uint8_t { float32, float16, uint8, uint16 };

constexpr int bytes_of(Storage storage) {
  return storage == Storage::float32 ? 4 : storage == Storage::uint8 ? 1 : 2;
}

/// Read-only image in any storage: intensity = offset + scale * stored.
struct ImageView {
  const void* data = nullptr;
  Storage storage = Storage::float32;
  Box stored;
  std::int64_t stride_z = 0, stride_y = 0;  ///< [voxels]
  float scale = 1, offset = 0;

  ImageView() = default;
  ImageView(View<const float> v) : ImageView(v, Storage::float32) {}
  ImageView(View<float> v) : ImageView(View<const float>(v)) {}
  ImageView(View<const Half> v) : ImageView(v, Storage::float16) {}
  ImageView(View<const std::uint8_t> v) : ImageView(v, Storage::uint8) {}
  ImageView(View<const std::uint16_t> v) : ImageView(v, Storage::uint16) {}

  /// Of a Field.
  template <class Owner>
    requires requires(const Owner& owner) { owner.view().stride_z; }
  ImageView(const Owner& owner) : ImageView(owner.view()) {}

  /// The voxels as T, which must be what `storage` says.
  template <class T>
  View<const T> as() const {
    return {static_cast<const T*>(data), stored, stride_z, stride_y};
  }
  explicit operator bool() const { return data != nullptr; }

 private:
  template <class T>
  ImageView(View<T> v, Storage kind)
      : data(v.data), storage(kind), stored(v.stored), stride_z(v.stride_z), stride_y(v.stride_y) {}
};

/// Calls body(View<const T>) with the type of the storage.
template <class Body>
decltype(auto) visit(const ImageView& image, Body&& body) {
  switch (image.storage) {
    case Storage::float16:
      return body(image.as<Half>());
    case Storage::uint8:
      return body(image.as<std::uint8_t>());
    case Storage::uint16:
      return body(image.as<std::uint16_t>());
    default:
      return body(image.as<float>());
  }
}

}  // namespace ffdp
