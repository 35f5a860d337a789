// SPDX-License-Identifier: Apache-2.0
#include "ffdp/dist/reduction.hpp"

#include <vector>

#include "ffdp/core/copy.hpp"
#if defined(FFDP_HAS_CUDA)
#include "ffdp/dist/on_device.hpp"
#endif

namespace ffdp::dist {
namespace {

/// to[i] <- what `combine` makes of all[r][i].
template <class T, class Combine>
void reduce(const Buffer<std::byte>& buffer, int ranks, T* to, Combine&& combine) {
  const T* all = reinterpret_cast<const T*>(buffer.data());
  const std::size_t count = buffer.size() / static_cast<std::size_t>(ranks) / sizeof(T);
  for (std::size_t i = 0; i < count; ++i) {
    T result = all[i];
    for (int r = 1; r < ranks; ++r)
      result = combine(result, all[static_cast<std::size_t>(r) * count + i]);
    to[i] = result;
  }
}

}  // namespace

Reduction::Reduction(const Context& ctx, const Comm& comm, std::size_t bytes)
    : bytes_(bytes),
      ranks_(comm.size()),
      all_(ctx.backend, bytes * static_cast<std::size_t>(comm.size())) {}

void Reduction::gather(const Context& ctx, Comm& comm, const void* values) {
  if (ctx.backend == Backend::cpu) return comm.all_gather(values, bytes_, all_.data());
  const auto of = [&](int rank) { return all_.data() + static_cast<std::size_t>(rank) * bytes_; };
  std::vector<Send> sends;
  std::vector<Receive> receives;
  for (int r = 0; r < ranks_; ++r) {
    if (r == comm.rank()) continue;
    sends.push_back({r, values, bytes_});
    receives.push_back({r, of(r), bytes_});
  }
  const auto pending = comm.start(ctx, sends, receives);
  copy_within(ctx, of(comm.rank()), values, bytes_);
  pending->wait();
}

void Reduction::sum(const Context& ctx, Comm& comm, std::int64_t* values) {
  gather(ctx, comm, values);
#if defined(FFDP_HAS_CUDA)
  if (ctx.backend == Backend::cuda)
    return device::sum(ctx, reinterpret_cast<const std::int64_t*>(all_.data()), ranks_,
                       static_cast<std::int64_t>(bytes_ / sizeof(std::int64_t)), values);
#endif
  reduce(all_, ranks_, values, [](std::int64_t a, std::int64_t b) { return a + b; });
}

void Reduction::max(const Context& ctx, Comm& comm, float* values) {
  gather(ctx, comm, values);
#if defined(FFDP_HAS_CUDA)
  if (ctx.backend == Backend::cuda)
    return device::max(ctx, reinterpret_cast<const float*>(all_.data()), ranks_,
                       static_cast<std::int64_t>(bytes_ / sizeof(float)), values);
#endif
  reduce(all_, ranks_, values, [](float a, float b) { return a < b ? b : a; });
}

}  // namespace ffdp::dist
