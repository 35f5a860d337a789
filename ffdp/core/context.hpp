// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include "ffdp/core/buffer.hpp"

namespace ffdp {

/// Where an op runs, with how many threads or on which stream, and its scratch memory.
/// It knows no rank and no communicator. One context is used by one caller at a time.
class Context {
 public:
  Backend backend = Backend::cpu;
  int threads = 1;         ///< CPU threads; results do not depend on their number
  void* stream = nullptr;  ///< cudaStream_t on Backend::cuda
  /// If set, scratch comes from this function, which takes a number of bytes. It returns memory of
  /// the backend, aligned to 64 bytes, that stays valid until the work on the stream is done.
  std::function<void*(std::size_t)> lend;

  /// Scratch of at least `count` elements. It is valid until the next request for the same slot;
  /// its contents are undefined. Slots are small numbers that the op chooses for one call.
  template <class T>
  T* scratch(int slot, std::size_t count) {
    if (lend) return static_cast<T*>(borrowed(slot, count * sizeof(T)));
    if (slots_.size() <= static_cast<std::size_t>(slot)) slots_.resize(slot + 1);
    auto& buffer = slots_[slot];
    if (buffer.size() < count * sizeof(T)) {
      buffer = Buffer<std::byte>();
      buffer = Buffer<std::byte>(backend, count * sizeof(T));
    }
    return reinterpret_cast<T*>(buffer.data());
  }
  /// Frees all scratch memory.
  void release_scratch() { slots_.clear(); }

 private:
  void* borrowed(int slot, std::size_t bytes) {
    if (borrowed_.size() <= static_cast<std::size_t>(slot)) borrowed_.resize(slot + 1);
    auto& [memory, size] = borrowed_[slot];
    if (size < bytes) {
      memory = lend(bytes);
      size = bytes;
    }
    return memory;
  }

  std::vector<Buffer<std::byte>> slots_;
  std::vector<std::pair<void*, std::size_t>> borrowed_;
};

}  // namespace ffdp
