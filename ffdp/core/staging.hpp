// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "ffdp/core/context.hpp"

/// Copies between pageable host memory and a device, in chunks through pinned memory. The driver
/// alone reaches a quarter of the bandwidth of the bus.
namespace ffdp {

/// The driver alone makes copies smaller than this [bytes].
inline constexpr std::size_t least_staged = std::size_t{4} << 20U;

/// Host to host, on the threads of the context.
void copy_host(const Context&, void* to, const void* from, std::size_t bytes);
/// Host to device, on the stream of the context; complete on return. One at a time in a process.
void stage_up(const Context&, void* to, const void* from, std::size_t bytes);
/// Device to host, likewise.
void stage_down(const Context&, void* to, const void* from, std::size_t bytes);
/// Allocates the pinned memory in advance, which takes some milliseconds.
void prepare_staging();

}  // namespace ffdp
