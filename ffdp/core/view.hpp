// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <type_traits>

#include "ffdp/core/box.hpp"

namespace ffdp {

/// Non-owning dense array over the box `stored`, indexed by global voxel indices z, y, x; x is
/// contiguous. Null `data` means "absent" where a contract allows it.
template <class T>
struct View {
  T* data = nullptr;
  Box stored;
  std::int64_t stride_z = 0;  ///< elements from one plane to the next
  std::int64_t stride_y = 0;  ///< elements from one row to the next

  FFDP_HD std::int64_t offset(int z, int y, int x) const {
    return (z - stored.lo[0]) * stride_z + (y - stored.lo[1]) * stride_y + (x - stored.lo[2]);
  }
  FFDP_HD T& operator()(int z, int y, int x) const { return data[offset(z, y, x)]; }
  /// Pointer p such that p[x] is the voxel (z, y, x).
  FFDP_HD T* row(int z, int y) const {
    return data + ((z - stored.lo[0]) * stride_z + (y - stored.lo[1]) * stride_y) - stored.lo[2];
  }
  FFDP_HD explicit operator bool() const { return data != nullptr; }
  operator View<const T>() const
    requires(!std::is_const_v<T>)
  {
    return {data, stored, stride_z, stride_y};
  }
};

/// Three views of one shape: components z, y, x of a vector field.
template <class T>
struct VectorView {
  T* data = nullptr;
  Box stored;
  std::int64_t stride_c = 0;  ///< elements from one component to the next
  std::int64_t stride_z = 0;
  std::int64_t stride_y = 0;

  FFDP_HD View<T> operator[](int component) const {
    return {data + component * stride_c, stored, stride_z, stride_y};
  }
  FFDP_HD explicit operator bool() const { return data != nullptr; }
  operator VectorView<const T>() const
    requires(!std::is_const_v<T>)
  {
    return {data, stored, stride_c, stride_z, stride_y};
  }
};

/// Components one after the other, each dense over `box`.
template <class T>
VectorView<T> dense_vectors(T* data, const Box& box) {
  const std::int64_t row = box.size(2);
  return {data, box, box.volume(), box.size(1) * row, row};
}

}  // namespace ffdp
