// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/cuda_check.hpp"
#include "ffdp/core/device.hpp"

namespace ffdp::dist {

/// A CUDA event, by which a stream waits for another one. Only in a build with CUDA.
class Event {
 public:
  Event() {
    cudaEvent_t made = nullptr;
    check(cudaEventCreateWithFlags(&made, cudaEventDisableTiming));
    event_.reset(made);
  }
  cudaEvent_t get() const { return static_cast<cudaEvent_t>(event_.get()); }

 private:
  DeviceHandle event_{nullptr,
                      [](void* event) { cudaEventDestroy(static_cast<cudaEvent_t>(event)); }};
};

}  // namespace ffdp::dist
