// SPDX-License-Identifier: Apache-2.0
#include "ffdp/dist/reduction.hpp"

#include <span>
#include <vector>

#include "ffdp/core/copy.hpp"
#include "ffdp/core/timeline.hpp"
#if defined(FFDP_HAS_CUDA)
#include "ffdp/dist/on_device.hpp"
#endif

namespace ffdp::dist {

Reduction::Reduction(const Context& ctx, const Comm& comm, std::size_t bytes)
    : bytes_(bytes), ranks_(comm.size()) {
  if (ctx.backend == Backend::cuda)
    all_ = Buffer<std::byte>(ctx.backend, bytes * static_cast<std::size_t>(comm.size()));
}

void Reduction::sum(const Context& ctx, Comm& comm, std::int64_t* values) {
  const Span span(ctx, "sum over ranks");
#if defined(FFDP_HAS_CUDA)
  if (ctx.backend == Backend::cuda) {
    gather(ctx, comm, values);
    return device::sum(ctx, reinterpret_cast<const std::int64_t*>(all_.data()), ranks_,
                       static_cast<std::int64_t>(bytes_ / sizeof(std::int64_t)), values);
  }
#endif
  if (ctx.backend == Backend::cpu) comm.all_sum({values, bytes_ / sizeof(std::int64_t)});
}

void Reduction::max(const Context& ctx, Comm& comm, float* values) {
  const Span span(ctx, "maximum over ranks");
#if defined(FFDP_HAS_CUDA)
  if (ctx.backend == Backend::cuda) {
    gather(ctx, comm, values);
    return device::max(ctx, reinterpret_cast<const float*>(all_.data()), ranks_,
                       static_cast<std::int64_t>(bytes_ / sizeof(float)), values);
  }
#endif
  if (ctx.backend == Backend::cpu) comm.all_max(std::span(values, bytes_ / sizeof(float)));
}

void Reduction::gather(const Context& ctx, Comm& comm, const void* values) {
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

}  // namespace ffdp::dist
