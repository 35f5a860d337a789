// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

namespace ffdp {

enum class Backend { cpu, cuda };

/// Uninitialised memory of `backend`, aligned to at least 64 bytes. Throws OutOfMemory.
void* allocate_bytes(Backend backend, std::size_t bytes);
void free_bytes(Backend backend, void* pointer) noexcept;

/// Owning, move-only, uninitialised array.
template <class T>
class Buffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  Buffer() = default;
  Buffer(Backend backend, std::size_t size)
      : backend_(backend),
        data_(size ? static_cast<T*>(allocate_bytes(backend, size * sizeof(T))) : nullptr),
        size_(size) {}
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    Buffer(std::move(other)).swap(*this);
    return *this;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() {
    if (data_) free_bytes(backend_, data_);
  }

  T* data() const { return data_; }
  std::size_t size() const { return size_; }
  Backend backend() const { return backend_; }
  void swap(Buffer& other) noexcept {
    std::swap(backend_, other.backend_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }

 private:
  Backend backend_ = Backend::cpu;
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace ffdp
