// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "ffdp/core/error.hpp"
#include "ffdp/core/image_view.hpp"
#include "ffdp/ops/common/images.hpp"

namespace ffdp {

/// Throws unless `view` (scalar or vector) is present and stored over at least `needed`.
template <class AnyView>
void require_stored(const char* op, const char* name, const AnyView& view, const Box& needed) {
  if (view && view.stored.contains(needed)) return;
  throw InvalidArgument(std::string(op) + ": " + name +
                        (view ? " is stored over " + to_string(view.stored) : " is absent") +
                        ", needs " + to_string(needed));
}

/// The same for both images of a metric.
template <class T>
void require_stored(const char* op, const Images<T>& images, const Box& needed) {
  require_stored(op, "fixed", images.fixed, needed);
  require_stored(op, "warped", images.warped, needed);
}

/// Throws unless compute lies inside domain and neither is empty.
inline void require_boxes(const char* op, const Box& domain, const Box& compute) {
  if (compute.empty() || !domain.contains(compute))
    throw InvalidArgument(std::string(op) + ": compute is " + to_string(compute) +
                          ", must be a non-empty part of the domain " + to_string(domain));
}

/// The voxels of an image as floats; throws NotBuilt for other storage, which CPU backends do not
/// read.
inline View<const float> require_floats(const char* op, const ImageView& image) {
  if (image.storage != Storage::float32 || image.scale != 1 || image.offset != 0)
    throw NotBuilt(std::string(op) + ": the CPU backend reads float32 images without a scale only");
  return image.as<float>();
}

}  // namespace ffdp
