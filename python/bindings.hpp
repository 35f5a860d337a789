// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <utility>

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include "ffdp/core/copy.hpp"
#include "ffdp/core/error.hpp"
#include "ffdp/core/image.hpp"

/// What the parts of the module share: arrays and fields. Arrays are [z,y,x] or [3,z,y,x].
namespace ffdp::python {

namespace nb = nanobind;

void bind_images(nb::module_& m);
void bind_registration(nb::module_& m);
void bind_transforms(nb::module_& m);
void bind_training(nb::module_& m);

template <class T, int dimensions>
using Array = nb::ndarray<const T, nb::ndim<dimensions>, nb::c_contig, nb::device::cpu>;
/// Of any device.
using FloatImage = nb::ndarray<const float, nb::ndim<3>, nb::c_contig>;

/// Size and shape of an array must be those of the grid.
template <class AnyArray>
void require_shape(const char* what, const AnyArray& array, const Grid& grid) {
  const std::size_t first = array.ndim() - 3;
  for (std::size_t a = 0; a < 3; ++a)
    require(array.shape(first + a) == static_cast<std::size_t>(grid.size[a]),
            std::string(what) + ": axis " + std::to_string(a) + " (z, y, x) of the array has " +
                std::to_string(array.shape(first + a)) + " voxels, the grid has " +
                std::to_string(grid.size[a]));
}

template <class AnyArray>
Backend backend_of(const AnyArray& array) {
  return array.device_type() == nb::device::cuda::value ? Backend::cuda : Backend::cpu;
}

/// A copy of an array, in the memory where it lies.
template <class T>
Image<T> image_of(const char* what, const nb::ndarray<const T, nb::ndim<3>, nb::c_contig>& array,
                  const Grid& grid) {
  require_shape(what, array, grid);
  const Backend backend = backend_of(array);
  Image<T> image{grid, Field<T>(backend, grid.domain())};
  Context ctx;
  ctx.backend = backend;
  copy_bytes(ctx, backend, image.data.data(), backend, array.data(), array.size() * sizeof(T));
  return image;
}

/// An array that owns what `field` owned: of NumPy, or on a device an object with __dlpack__.
template <class T, class Owner>
nb::object array_of(Owner&& field, const std::vector<std::size_t>& shape, int device) {
  auto* kept = new Owner(std::forward<Owner>(field));
  const nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<Owner*>(p); });
  if (kept->backend() == Backend::cuda)
    return nb::cast(nb::ndarray<nb::array_api, T>(kept->data(), shape.size(), shape.data(), owner,
                                                  nullptr, nb::dtype<T>(), nb::device::cuda::value,
                                                  device));
  return nb::cast(nb::ndarray<nb::numpy, T>(kept->data(), shape.size(), shape.data(), owner));
}

inline std::vector<std::size_t> shape_of(const Box& box) {
  return {std::size_t(box.size(0)), std::size_t(box.size(1)), std::size_t(box.size(2))};
}
template <class T>
nb::object array_of(Field<T>&& field, int device = 0) {
  const auto shape = shape_of(field.stored());
  return array_of<T, Field<T>>(std::move(field), shape, device);
}
template <class T>
nb::object array_of(VectorField<T>&& field, int device = 0) {
  auto shape = shape_of(field.stored());
  shape.insert(shape.begin(), 3);
  return array_of<T, VectorField<T>>(std::move(field), shape, device);
}

/// Four rows of a matrix, LPS mm.
using Matrix = std::array<std::array<double, 4>, 4>;
inline Matrix matrix_of(const Affine& affine) {
  Matrix m{};
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) m[i][j] = affine.linear[i][j];
    m[i][3] = affine.translation[i];
  }
  m[3][3] = 1;
  return m;
}
inline Affine affine_of(const Matrix& m) {
  Affine affine;
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) affine.linear[i][j] = m[i][j];
    affine.translation[i] = m[i][3];
  }
  return affine;
}

/// A context of the CPU with that many threads; 0: as many as the process may use.
Context cpu_context(int threads);

}  // namespace ffdp::python
