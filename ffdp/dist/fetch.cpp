// SPDX-License-Identifier: Apache-2.0
#include "ffdp/dist/fetch.hpp"

#include <deque>
#include <utility>

#include "ffdp/core/copy.hpp"
#include "ffdp/core/copy_box.hpp"
#include "ffdp/core/error.hpp"
#include "ffdp/core/parallel.hpp"
#if defined(FFDP_HAS_CUDA)
#include "ffdp/dist/on_device.hpp"
#endif

namespace ffdp::dist {
namespace {

/// Whether the voxels of a component in a box are contiguous.
bool is_dense(const Strided& field, const Box& box) {
  const bool rows = field.stride_y == box.size(2) || box.size(1) == 1;
  return rows && (box.size(0) == 1 || (field.stride_y == box.size(2) &&
                                       field.stride_z == field.stride_y * box.size(1)));
}

/// The bytes of component c of the voxels of a box, of a field that is dense there.
std::byte* component(const Strided& field, const Box& box, int c) {
  const std::int64_t offset =
      c * field.stride_c + (box.lo[0] - field.stored.lo[0]) * field.stride_z +
      (box.lo[1] - field.stored.lo[1]) * field.stride_y + (box.lo[2] - field.stored.lo[2]);
  return field.data + offset * static_cast<std::int64_t>(field.element);
}

/// A dense copy of the voxels of a box, in memory of the context's backend.
struct Packed {
  Buffer<std::byte> bytes;
  Box box;
  Strided view;
  Packed(const Context& ctx, const Strided& like, const Box& b)
      : bytes(ctx.backend, static_cast<std::size_t>(b.volume()) * like.components * like.element),
        box(b),
        view(like.dense(bytes.data(), b)) {}
};

/// Component c as a field of float32.
View<float> floats(const Strided& field, int c) {
  return {reinterpret_cast<float*>(field.data) + c * field.stride_c, field.stored, field.stride_z,
          field.stride_y};
}

void add_voxels(const Context& ctx, const Strided& from, const Strided& to, const Box& box) {
  require(from.element == sizeof(float) && to.element == sizeof(float),
          "fetch: the adjoint adds float32");
  for (int c = 0; c < from.components; ++c) {
    const View<const float> in = floats(from, c);
    const View<float> out = floats(to, c);
#if defined(FFDP_HAS_CUDA)
    if (ctx.backend == Backend::cuda) {
      device::add(ctx, in, out, box);
      continue;
    }
#endif
    parallel_for(ctx, box.size(0), [&](std::int64_t i, int) {
      const int z = box.lo[0] + static_cast<int>(i);
      for (int y = box.lo[1]; y < box.hi[1]; ++y)
        for (int x = box.lo[2]; x < box.hi[2]; ++x) out(z, y, x) += in(z, y, x);
    });
  }
}

void require_stored(const char* what, const Strided& field, const Box& needed) {
  if (needed.empty() || field.stored.contains(needed)) return;
  throw InvalidArgument(std::string("fetch: ") + what + " is stored over " +
                        to_string(field.stored) + ", needs " + to_string(needed));
}

}  // namespace

void copy_voxels(const Context& ctx, const Strided& from, const Strided& to, const Box& box) {
  const auto at = [&](const Strided& field, int c) {
    return Pitched{component(field, box, c),
                   field.stride_z * static_cast<std::int64_t>(field.element),
                   field.stride_y * static_cast<std::int64_t>(field.element)};
  };
  for (int c = 0; c < from.components && !box.empty(); ++c)
    copy_box(ctx, at(to, c), at(from, c), box.size(0), box.size(1),
             static_cast<std::size_t>(box.size(2)) * from.element);
}

/// Messages between fields, one per component. Contiguous voxels are sent in place.
struct TransferState {
  const Context& ctx;
  Strided to;
  std::deque<Packed> sent{}, received{};
  std::vector<Send> sends{};
  std::vector<Receive> receives{};
  std::unique_ptr<Comm::Pending> pending{};

  void give(const Strided& from, const Box& box, int rank) {
    const Strided* field = &from;
    if (!is_dense(from, box)) {
      field = &sent.emplace_back(ctx, from, box).view;
      copy_voxels(ctx, from, *field, box);
    }
    for (int c = 0; c < from.components; ++c)
      sends.push_back({rank, component(*field, box, c), bytes_of_component(box)});
  }
  void take(const Strided& into, const Box& box, int rank) {
    const Strided& field = is_dense(into, box) ? into : received.emplace_back(ctx, into, box).view;
    for (int c = 0; c < into.components; ++c)
      receives.push_back({rank, component(field, box, c), bytes_of_component(box)});
  }
  std::size_t bytes_of_component(const Box& box) const {
    return static_cast<std::size_t>(box.volume()) * to.element;
  }
};

Fetch::Transfer::Transfer(std::unique_ptr<TransferState> state) : state_(std::move(state)) {}
Fetch::Transfer::Transfer(Transfer&&) noexcept = default;
Fetch::Transfer& Fetch::Transfer::operator=(Transfer&&) noexcept = default;
Fetch::Transfer::~Transfer() = default;

void Fetch::Transfer::finish() {
  if (!state_) return;
  state_->pending->wait();
  for (const Packed& part : state_->received)
    copy_voxels(state_->ctx, part.view, state_->to, part.box);
  if (!state_->sent.empty() || !state_->received.empty()) synchronize(state_->ctx);
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
  auto state = std::make_unique<TransferState>(TransferState{ctx, to});
  for (const Part& part : gives_) state->give(from, part.box, part.rank);
  for (const Part& part : takes_) state->take(to, part.box, part.rank);
  state->pending = comm_->start(ctx, state->sends, state->receives);
  if (from.data != to.data) {
    require_stored("the source", from, kept_);
    copy_voxels(ctx, from, to, kept_);
  }
  return Transfer(std::move(state));
}

void Fetch::adjoint(const Context& ctx, const Strided& from, const Strided& to) const {
  require_stored("the source", from, wanted_);
  require_stored("the destination", to, own_);
  TransferState state{ctx, to};
  std::vector<Packed> received;
  for (const Part& part : takes_) state.give(from, part.box, part.rank);
  for (const Part& part : gives_) {
    const Packed& packed = received.emplace_back(ctx, to, part.box);
    state.take(packed.view, part.box, part.rank);
  }
  comm_->start(ctx, state.sends, state.receives)->wait();
  bool own_added = from.data == to.data;
  const auto add_own = [&] {
    if (!own_added) add_voxels(ctx, from, to, kept_);
    own_added = true;
  };
  for (std::size_t i = 0; i < received.size(); ++i) {
    if (gives_[i].rank > comm_->rank()) add_own();
    add_voxels(ctx, received[i].view, to, received[i].box);
  }
  add_own();
  synchronize(ctx);
}

}  // namespace ffdp::dist
