// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/context.hpp"
#include "ffdp/core/field.hpp"

namespace ffdp::registration {

/// Holds the planes [lo, hi) of a field that an iteration makes and uses from bottom to top, so
/// that no memory for the whole field is needed. advance() drops planes below and adds
/// uninitialised planes above.
class Slab {
 public:
  Slab() = default;
  /// @param extent      all planes that may be requested
  /// @param components  1 or 3
  /// @param planes      most planes held at once
  Slab(Backend backend, const Box& extent, int components, int planes);

  /// Keeps the planes from `keep_from` on and adds planes up to `hi`.
  /// @return the planes to be made now: those from the previous hi on. If none was held, those from
  ///         `keep_from`, or from the beginning of the extent
  Box advance(const Context& ctx, int keep_from, int hi);
  /// Forgets all planes.
  void clear();

  /// Most planes held at once.
  int room() const { return planes_; }
  Box stored() const;
  View<float> view() const;
  VectorView<float> vectors() const;

 private:
  Box extent_;
  int components_ = 1, planes_ = 0, lo_ = 0, hi_ = 0;
  Buffer<float> data_;
};

}  // namespace ffdp::registration
