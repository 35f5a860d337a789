// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "ffdp/core/context.hpp"

/// Copies between pageable host memory and a device, in chunks through pinned memory: the driver
/// alone does a quarter of what the bus can.
namespace ffdp {

/// Copies below this are left to the driver [bytes].
inline constexpr std::size_t least_staged = std::size_t{4} << 20U;

/// Host to host, on the threads of the context.
void copy_host(const Context&, void* to, const void* from, std::size_t bytes);
/// Host to device, on the stream of the context; complete on return. One at a time in a process.
void stage_up(const Context&, void* to, const void* from, std::size_t bytes);
/// Device to host, likewise.
void stage_down(const Context&, void* to, const void* from, std::size_t bytes);
/// Makes the pinned memory, which takes some milliseconds, before it is needed.
void prepare_staging();

}  // namespace ffdp
