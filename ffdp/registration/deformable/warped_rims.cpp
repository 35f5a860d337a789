// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/deformable/warped_rims.hpp"

#include <algorithm>

namespace ffdp::registration {
namespace {

/// The planes of a box from lo to hi; empty where it has none of them.
Box planes_of(const Box& box, int lo, int hi) {
  Box part = box;
  part.lo[0] = std::max(box.lo[0], lo);
  part.hi[0] = std::max(part.lo[0], std::min(box.hi[0], hi));
  return part;
}

}  // namespace

WarpedRims::WarpedRims(const Context& ctx, dist::Comm& comm, const dist::Cut& cut, int planes)
    : own_(cut.own(comm)) {
  const Box domain = cut.domain();
  const int first = own_.lo[0], last = own_.hi[0];
  low_ = first;
  high_ = last;
  if (cut.whole()) return;
  if (first > domain.lo[0]) {
    low_ = std::min(first + planes, last);
    below_ = Field<float>(ctx.backend, planes_of(domain, first - planes, low_));
  }
  if (last < domain.hi[0]) {
    high_ = std::max(last - planes, low_);
    above_ =
        Field<float>(ctx.backend, planes_of(domain, std::max(last - planes, first), last + planes));
  }
  to_below_.emplace(comm, cut, planes_of(domain, first - planes, first));
  to_above_.emplace(comm, cut, planes_of(domain, last, last + planes));
}

void WarpedRims::start(const Context& ctx, const Sample& sample) {
  if (!to_below_ || !to_above_) return;
  finish();
  if (const Box edge = planes_of(own_, own_.lo[0], low_); !edge.empty())
    sample(edge, below_.view());
  if (!above_.empty()) {
    const Box edge = intersect(own_, above_.stored()), made = planes_of(edge, edge.lo[0], low_);
    if (!made.empty()) dist::copy_voxels(ctx, below_.view(), above_.view(), made);
    const Box rest = planes_of(edge, std::max(low_, edge.lo[0]), edge.hi[0]);
    if (!rest.empty()) sample(rest, above_.view());
  }
  // A rank above gets its lower rim from the ranks below.
  coming_.push_back(to_below_->start(ctx, above_.view(), below_.view()));
  coming_.push_back(to_above_->start(ctx, below_.view(), above_.view()));
}

void WarpedRims::fill(const Context& ctx, const Box& box, const Sample& sample,
                      View<float> warped) {
  if (const Box inside = planes_of(box, low_, high_); !inside.empty()) sample(inside, warped);
  if (!own_.contains(box)) finish();
  const auto take = [&](const Field<float>& from, const Box& part) {
    if (!part.empty()) dist::copy_voxels(ctx, from.view(), warped, part);
  };
  take(below_, planes_of(box, box.lo[0], low_));
  take(above_, planes_of(box, high_, box.hi[0]));
}

void WarpedRims::finish() {
  for (dist::Fetch::Transfer& transfer : coming_) transfer.finish();
  coming_.clear();
}

}  // namespace ffdp::registration
