// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/deformable/slab.hpp"

#include <algorithm>

#include "ffdp/core/copy.hpp"
#include "ffdp/core/error.hpp"

namespace ffdp::registration {

Slab::Slab(Backend backend, const Box& extent, int components, int planes)
    : extent_(extent),
      components_(components),
      planes_(std::min(planes, extent.size(0))),
      lo_(extent.lo[0]),
      hi_(extent.lo[0]),
      data_(backend,
            static_cast<std::size_t>(components) * planes_ * extent.size(1) * extent.size(2)) {}

Box Slab::advance(const Context& ctx, int keep_from, int hi) {
  keep_from = std::max(keep_from, lo_);
  if (lo_ == hi_) lo_ = hi_ = keep_from;
  require(keep_from <= hi_ && hi >= hi_ && hi <= extent_.hi[0] && hi - keep_from <= planes_,
          "slab: planes " + std::to_string(keep_from) + " to " + std::to_string(hi) +
              " are wanted, from " + std::to_string(lo_) + " to " + std::to_string(hi_) +
              " with room for " + std::to_string(planes_));
  const std::int64_t plane = std::int64_t{extent_.size(1)} * extent_.size(2);
  const int shift = keep_from - lo_;
  // Pieces of at most `shift` planes do not overlap their destination.
  for (int c = 0; c < components_; ++c)
    for (int k = keep_from; shift > 0 && k < hi_; k += shift) {
      float* from = data_.data() + (std::int64_t{c} * planes_ + (k - lo_)) * plane;
      copy_within(ctx, from - shift * plane, from,
                  std::min(shift, hi_ - k) * plane * sizeof(float));
    }
  Box made = extent_;
  made.lo[0] = hi_;
  made.hi[0] = hi;
  lo_ = keep_from;
  hi_ = hi;
  return made;
}

void Slab::clear() { lo_ = hi_ = extent_.lo[0]; }

Box Slab::stored() const {
  Box box = extent_;
  box.lo[0] = lo_;
  box.hi[0] = hi_;
  return box;
}

View<float> Slab::view() const {
  return {data_.data(), stored(), std::int64_t{extent_.size(1)} * extent_.size(2), extent_.size(2)};
}

VectorView<float> Slab::vectors() const {
  const std::int64_t plane = std::int64_t{extent_.size(1)} * extent_.size(2);
  return {data_.data(), stored(), planes_ * plane, plane, extent_.size(2)};
}

}  // namespace ffdp::registration
