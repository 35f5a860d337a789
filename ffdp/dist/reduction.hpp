// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "ffdp/core/buffer.hpp"
#include "ffdp/core/context.hpp"
#include "ffdp/dist/comm.hpp"

namespace ffdp::dist {

/// Sums of whole numbers, or maxima, of a few values over all ranks; the values are in memory of
/// the backend. Made once and used in every iteration. On CUDA the host does not wait for the
/// device.
class Reduction {
 public:
  Reduction() = default;
  /// @param bytes  of the values of one rank
  Reduction(const Context& ctx, const Comm& comm, std::size_t bytes);

  /// values[i] <- the sum of all ranks' values[i]. Collective.
  void sum(const Context& ctx, Comm& comm, std::int64_t* values);
  /// values[i] <- the largest of all ranks' values[i]. Collective.
  void max(const Context& ctx, Comm& comm, float* values);

 private:
  void gather(const Context& ctx, Comm& comm, const void* values);
  std::size_t bytes_ = 0;
  int ranks_ = 1;
  Buffer<std::byte> all_;  ///< on CUDA: values of all ranks, in their order
};

}  // namespace ffdp::dist
