// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <cuda_runtime.h>

#include "ffdp/core/context.hpp"
#include "ffdp/core/error.hpp"

namespace ffdp {

/// File and line of a caller, captured by a default argument.
struct Where {
  const char* file;
  int line;
  static constexpr Where here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
};

/// Throws DeviceError (OutOfMemory) unless `error` is success.
inline void check(cudaError_t error, Where where = Where::here()) {
  if (error == cudaSuccess) return;
  const std::string message = std::string("cuda: ") + cudaGetErrorString(error) + " at " +
                              where.file + ":" + std::to_string(where.line);
  if (error == cudaErrorMemoryAllocation) throw OutOfMemory(message);
  throw DeviceError(message);
}

inline cudaStream_t stream_of(const Context& ctx) { return static_cast<cudaStream_t>(ctx.stream); }

}  // namespace ffdp
