// SPDX-License-Identifier: Apache-2.0
#include "ffdp/core/buffer.hpp"

#include <cstdlib>
#include <string>

#include "ffdp/core/error.hpp"

namespace ffdp {

void* allocate_bytes(Backend backend, std::size_t bytes) {
  if (backend != Backend::cpu) throw NotBuilt("buffer: this build has no CUDA backend");
  constexpr std::size_t alignment = 64;
  const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void* pointer = rounded >= bytes ? std::aligned_alloc(alignment, rounded) : nullptr;
  if (!pointer)
    throw OutOfMemory("buffer: out of memory: asked " + std::to_string(bytes >> 20) + " MiB");
  return pointer;
}

void free_bytes(Backend, void* pointer) noexcept { std::free(pointer); }

}  // namespace ffdp
