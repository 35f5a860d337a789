// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>

#include <gtest/gtest.h>

#include "ffdp/core/device.hpp"
#include "ffdp/dist/device_messages.hpp"

namespace ffdp::test {

/// Whether FFDP_REQUIRE_CUDA=1 says that there has to be a CUDA device.
inline bool device_required() {
  const char* required = std::getenv("FFDP_REQUIRE_CUDA");
  return required != nullptr && required[0] == '1';
}

/// Whether there is a CUDA device; skips the test where there is none, or fails it where
/// there has to be one.
inline bool has_device() {
  if (cuda_devices() > 0) return true;
  const auto answer = [&] {
    if (device_required()) FAIL() << "FFDP_REQUIRE_CUDA is set and there is no CUDA device";
    GTEST_SKIP() << "no CUDA device";
  };
  answer();
  return false;
}

/// Whether this build has NCCL, for ranks with a GPU each.
inline bool has_nccl() { return dist::nccl_problem({0, 1}).empty(); }

}  // namespace ffdp::test
