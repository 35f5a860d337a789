// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "ffdp/core/context.hpp"

namespace ffdp {

/// Rows of bytes in memory of a backend.
struct Pitched {
  std::byte* data = nullptr;
  std::int64_t stride_plane = 0, stride_row = 0;  ///< [bytes]
};

/// Copies `planes` times `rows` rows of `bytes` bytes within the memory of the context's backend:
/// on the CPU with its threads, on CUDA on its stream, without waiting. The two must not overlap.
void copy_box(const Context& ctx, const Pitched& to, const Pitched& from, int planes, int rows,
              std::size_t bytes);

}  // namespace ffdp
