// SPDX-License-Identifier: Apache-2.0
#include "ffdp/dist/fetch.hpp"

#include <cstring>
#include <utility>

#include "ffdp/core/copy.hpp"
#include "ffdp/core/copy_box.hpp"
#include "ffdp/core/error.hpp"

namespace ffdp::dist {
namespace {

/// A dense copy of the voxels of a box, in memory of the context's backend.
struct Packed {
  Buffer<std::byte> bytes;
  Box box;
  Packed(const Context& ctx, const Strided& like, const Box& b)
      : bytes(ctx.backend, static_cast<std::size_t>(b.volume()) * like.components * like.element),
        box(b) {}
};

/// The same voxels as a view: `bytes` is dense over `box`.
Strided view_of(std::byte* bytes, const Strided& like, const Box& box) {
  Strided v = like;
  v.data = bytes;
  v.stored = box;
  v.stride_y = box.size(2);
  v.stride_z = v.stride_y * box.size(1);
  v.stride_c = v.stride_z * box.size(0);
  return v;
}

void add_voxels(const Context& ctx, const Strided& from, const Strided& to, const Box& box) {
  require(
      ctx.backend == Backend::cpu && from.element == sizeof(float) && to.element == sizeof(float),
      "fetch: the adjoint adds float32 in memory of the host");
  for (int c = 0; c < from.components; ++c)
    for (int z = box.lo[0]; z < box.hi[0]; ++z)
      for (int y = box.lo[1]; y < box.hi[1]; ++y) {
        const auto row = [&](const Strided& s) {
          return reinterpret_cast<float*>(s.data) + c * s.stride_c +
                 (z - s.stored.lo[0]) * s.stride_z + (y - s.stored.lo[1]) * s.stride_y -
                 s.stored.lo[2];
        };
        const float* in = row(from);
        float* out = row(to);
        for (int x = box.lo[2]; x < box.hi[2]; ++x) out[x] += in[x];
      }
}

void require_stored(const char* what, const Strided& field, const Box& needed) {
  if (needed.empty() || field.stored.contains(needed)) return;
  throw InvalidArgument(std::string("fetch: ") + what + " is stored over " +
                        to_string(field.stored) + ", needs " + to_string(needed));
}

}  // namespace

void copy_voxels(const Context& ctx, const Strided& from, const Strided& to, const Box& box) {
  for (int c = 0; c < from.components && !box.empty(); ++c) {
    const auto at = [&](const Strided& s) {
      const std::int64_t offset = c * s.stride_c + (box.lo[0] - s.stored.lo[0]) * s.stride_z +
                                  (box.lo[1] - s.stored.lo[1]) * s.stride_y +
                                  (box.lo[2] - s.stored.lo[2]);
      return Pitched{s.data + offset * static_cast<std::int64_t>(s.element),
                     s.stride_z * static_cast<std::int64_t>(s.element),
                     s.stride_y * static_cast<std::int64_t>(s.element)};
    };
    copy_box(ctx, at(to), at(from), box.size(0), box.size(1),
             static_cast<std::size_t>(box.size(2)) * from.element);
  }
}

struct TransferState {
  const Context* ctx;
  Strided to;
  std::vector<Packed> sent, received;
  std::unique_ptr<Comm::Pending> pending;
};

Fetch::Transfer::Transfer(std::unique_ptr<TransferState> state) : state_(std::move(state)) {}
Fetch::Transfer::Transfer(Transfer&&) noexcept = default;
Fetch::Transfer& Fetch::Transfer::operator=(Transfer&&) noexcept = default;
Fetch::Transfer::~Transfer() = default;

void Fetch::Transfer::finish() {
  if (!state_) return;
  state_->pending->wait();
  for (Packed& part : state_->received)
    copy_voxels(*state_->ctx, view_of(part.bytes.data(), state_->to, part.box), state_->to,
                part.box);
  synchronize(*state_->ctx);
  state_.reset();
}

Fetch::Fetch(Comm& comm, const Cut& cut, const Box& wanted)
    : comm_(&comm), own_(cut.own(comm)), wanted_(intersect(wanted, cut.domain())) {
  if (wanted.empty()) wanted_ = {};
  require(wanted.empty() || cut.domain().contains(wanted),
          "fetch: the box " + to_string(wanted) + " is wanted of " + to_string(cut.domain()));
  kept_ = intersect(own_, wanted_);
  if (cut.whole()) return;
  const std::vector<Box> boxes = comm.all_gather(wanted_);
  for (int r = 0; r < comm.size(); ++r) {
    if (r == comm.rank()) continue;
    const Box given = intersect(own_, boxes[static_cast<std::size_t>(r)]);
    if (!given.empty()) gives_.push_back({r, given});
    const Box taken = intersect(cut.own(r), wanted_);
    if (!taken.empty()) takes_.push_back({r, taken});
  }
}

std::int64_t Fetch::bytes_sent(std::size_t bytes) const {
  std::int64_t voxels = 0;
  for (const Part& part : gives_) voxels += part.box.volume();
  return voxels * static_cast<std::int64_t>(bytes);
}

Fetch::Transfer Fetch::start(const Context& ctx, const Strided& from, const Strided& to) const {
  require(from.element == to.element && from.components == to.components,
          "fetch: the two fields have voxels of " + std::to_string(from.element) + " bytes x " +
              std::to_string(from.components) + " and " + std::to_string(to.element) + " bytes x " +
              std::to_string(to.components));
  for (const Part& part : gives_) require_stored("the source", from, part.box);
  require_stored("the destination", to, wanted_);
  auto state = std::make_unique<TransferState>(TransferState{&ctx, to, {}, {}, nullptr});
  std::vector<Send> sends;
  std::vector<Receive> receives;
  for (const Part& part : gives_) {
    Packed& packed = state->sent.emplace_back(ctx, from, part.box);
    copy_voxels(ctx, from, view_of(packed.bytes.data(), from, part.box), part.box);
    sends.push_back({part.rank, packed.bytes.data(), packed.bytes.size()});
  }
  for (const Part& part : takes_) {
    Packed& packed = state->received.emplace_back(ctx, to, part.box);
    receives.push_back({part.rank, packed.bytes.data(), packed.bytes.size()});
  }
  synchronize(ctx);
  state->pending = comm_->start(sends, receives);
  if (from.data != to.data) {
    require_stored("the source", from, kept_);
    copy_voxels(ctx, from, to, kept_);
  }
  return Transfer(std::move(state));
}

void Fetch::adjoint(const Context& ctx, const Strided& from, const Strided& to) const {
  require_stored("the source", from, wanted_);
  require_stored("the destination", to, own_);
  std::vector<Packed> sent, received;
  std::vector<Send> sends;
  std::vector<Receive> receives;
  for (const Part& part : takes_) {
    Packed& packed = sent.emplace_back(ctx, from, part.box);
    copy_voxels(ctx, from, view_of(packed.bytes.data(), from, part.box), part.box);
    sends.push_back({part.rank, packed.bytes.data(), packed.bytes.size()});
  }
  for (const Part& part : gives_) {
    Packed& packed = received.emplace_back(ctx, to, part.box);
    receives.push_back({part.rank, packed.bytes.data(), packed.bytes.size()});
  }
  const auto pending = comm_->start(sends, receives);
  pending->wait();
  bool own_added = from.data == to.data;
  const auto add_own = [&] {
    if (!own_added) add_voxels(ctx, from, to, kept_);
    own_added = true;
  };
  for (std::size_t i = 0; i < received.size(); ++i) {
    if (gives_[i].rank > comm_->rank()) add_own();
    add_voxels(ctx, view_of(received[i].bytes.data(), to, received[i].box), to, received[i].box);
  }
  add_own();
}

}  // namespace ffdp::dist
