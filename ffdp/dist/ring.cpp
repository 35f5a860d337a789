// SPDX-License-Identifier: Apache-2.0
#include "ffdp/dist/ring.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "ffdp/dist/fetch.hpp"

namespace ffdp::dist {
namespace {

/// The planes of rank `number`, and one more above.
Box part_of(const Cut& cut, int number) {
  Box box = cut.own(number);
  box.hi[0] = std::min(box.hi[0] + 1, cut.domain().hi[0]);
  return box;
}

std::int64_t largest_part(const Cut& cut) {
  std::int64_t voxels = 0;
  for (int r = 0; r < cut.ranks(); ++r) voxels = std::max(voxels, part_of(cut, r).volume());
  return voxels;
}

}  // namespace

std::int64_t Ring::bytes(const Cut& cut, std::int64_t voxel) {
  return cut.whole() ? 0 : 2 * largest_part(cut) * voxel;
}

std::int64_t Ring::bytes_sent(const Cut& cut, std::int64_t voxel) {
  std::int64_t voxels = 0;
  for (int r = 0; r < cut.ranks() && !cut.whole(); ++r) voxels += part_of(cut, r).volume();
  return voxels * voxel * (cut.ranks() - 1) / cut.ranks();
}

Ring::Ring(const Context& ctx, Comm& comm, const ImageRef& image, const Image<std::uint8_t>* mask)
    : comm_(&comm), cut_(comm, image.grid.domain()), image_(image.data), held_(comm.rank()) {
  if (mask) mask_ = mask->data.view();
  if (cut_.whole()) return;
  const auto most = static_cast<std::size_t>(largest_part(cut_));
  const auto element = static_cast<std::size_t>(bytes_of(image_.storage));
  for (Memory* memory : {&here_, &next_})
    *memory = {Buffer<std::byte>(ctx.backend, most * element),
               Buffer<std::byte>(ctx.backend, mask_ ? most : 0)};
  const Fetch fetch(comm, cut_, part_of(cut_, held_));
  fetch(ctx, image_, image_in(here_, held_));
  if (mask_) fetch(ctx, mask_, mask_in(here_, held_));
}

ImageView Ring::image_in(const Memory& memory, int number) const {
  ImageView view = image_;
  view.data = memory.image.data();
  view.stored = part_of(cut_, number);
  view.stride_y = view.stored.size(2);
  view.stride_z = view.stride_y * view.stored.size(1);
  return view;
}

View<std::uint8_t> Ring::mask_in(const Memory& memory, int number) const {
  const ImageView like = image_in(memory, number);
  auto* const data = mask_ ? reinterpret_cast<std::uint8_t*>(memory.mask.data()) : nullptr;
  return {data, like.stored, like.stride_z, like.stride_y};
}

void Ring::pass(const Context& ctx, const Use& use) {
  if (cut_.whole()) return use(image_, mask_);
  const int ranks = comm_->size(), above = (comm_->rank() + 1) % ranks;
  const int below = (comm_->rank() + ranks - 1) % ranks;
  const auto bytes = [&](int number, std::size_t element) {
    return static_cast<std::size_t>(part_of(cut_, number).volume()) * element;
  };
  const auto element = static_cast<std::size_t>(bytes_of(image_.storage));
  for (int passed = 0; passed < ranks; ++passed) {
    const int coming = (held_ + ranks - 1) % ranks;
    std::unique_ptr<Comm::Pending> pending;
    if (passed + 1 < ranks) {
      std::vector<Send> sends{{above, here_.image.data(), bytes(held_, element)}};
      std::vector<Receive> receives{{below, next_.image.data(), bytes(coming, element)}};
      if (mask_) {
        sends.push_back({above, here_.mask.data(), bytes(held_, 1)});
        receives.push_back({below, next_.mask.data(), bytes(coming, 1)});
      }
      pending = comm_->start(ctx, sends, receives);
    }
    use(image_in(here_, held_), mask_in(here_, held_));
    if (!pending) break;
    pending->wait();
    std::swap(here_, next_);
    held_ = coming;
  }
}

}  // namespace ffdp::dist
