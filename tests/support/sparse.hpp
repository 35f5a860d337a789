// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

#include <sys/mman.h>

namespace ffdp::test {

/// Zeros of which only the pages that are used take memory, for views with huge strides.
class SparseFloats {
 public:
  explicit SparseFloats(std::int64_t count)
      : bytes_(static_cast<std::size_t>(count) * sizeof(float)),
        memory_(mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {
    if (memory_ == MAP_FAILED) throw std::bad_alloc();
  }
  SparseFloats(const SparseFloats&) = delete;
  SparseFloats& operator=(const SparseFloats&) = delete;
  SparseFloats(SparseFloats&&) = delete;
  SparseFloats& operator=(SparseFloats&&) = delete;
  ~SparseFloats() { munmap(memory_, bytes_); }
  float* data() const { return static_cast<float*>(memory_); }

 private:
  std::size_t bytes_;
  void* memory_;
};

}  // namespace ffdp::test
