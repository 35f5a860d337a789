// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/context.hpp"
#include "ffdp/core/view.hpp"
#include "ffdp/ops/common/into.hpp"

/// Resampling as networks do it: out(c, x) = I_c(q(x)) with q(x) = A (x + u(x)) + t, any number of
/// channels, and gradients to the image, the displacement and the affine. Registration uses the op
/// `sampler`, which knows masks, storage types and missing samples.
namespace ffdp::resample {

enum class Padding {
  zeros,   ///< voxels outside the image are 0
  border,  ///< q is clamped to the centres of the outer voxels, and carries no gradient there
};
enum class Mode {
  linear,
  nearest,  ///< halves round to even, as in PyTorch; carries no gradient to q
};

struct Params {
  Padding padding = Padding::zeros;
  Mode mode = Mode::linear;
  int channels = 1;  ///< of the image
  int axes = 3;      ///< components of u: 3 (z, y, x), or 2 (y, x) where images have one plane
  friend bool operator==(const Params&, const Params&) = default;
};

/// Twelve numbers in memory of the backend, rows z, y, x of A | t, or null for the identity.
template <class T>
using AffineView = T*;

/// The inputs of forward and backward. VectorView also stands for images of any number of channels.
template <class T>
struct Inputs {
  VectorView<const T> image;         ///< [channels,z,y,x]; stored over all of image_domain, or over
                                     ///< a part of it: voxels not stored count as 0
  VectorView<const T> displacement;  ///< [axes,z,y,x] u [voxels], stored over compute; null for 0
  AffineView<const T> affine = nullptr;  ///< output index to image index [voxels]
};

/// The samples of all shards of an image add up to those of the whole.
using ffdp::Into;

/// @param image_domain  the whole image; decides what is outside
/// @param compute       voxels this call makes
/// @param out           [channels,z,y,x] stored over compute
template <class T>
void forward(Context&, const Params&, Box image_domain, Box compute, const Inputs<T>& inputs,
             Into into, VectorView<T> out);

/// The gradients; null for those that are not wanted. Image and affine are added to.
template <class T>
struct Gradients {
  VectorView<T> image;         ///< [channels,z,y,x] stored as the image
  VectorView<T> displacement;  ///< [axes,z,y,x] stored over compute
  Into into = Into::add;       ///< of the displacement
  double* affine = nullptr;    ///< 12 sums in memory of the backend
};

/// Adjoint of forward. The gradient of the image is scattered: on CUDA by atomic additions, whose
/// order differs from run to run; on the CPU by one thread.
/// @param grad_out  [channels,z,y,x] stored over compute
template <class T>
void backward(Context&, const Params&, Box image_domain, Box compute, const Inputs<T>& inputs,
              VectorView<const T> grad_out, const Gradients<T>& gradients);

}  // namespace ffdp::resample
