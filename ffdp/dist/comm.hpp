// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace ffdp::dist {

/// The ranks that work on one registration. Collective calls are made by all of them in one order.
class Comm {
 public:
  Comm() = default;
  Comm(const Comm&) = delete;
  Comm& operator=(const Comm&) = delete;
  Comm(Comm&&) = delete;
  Comm& operator=(Comm&&) = delete;
  virtual ~Comm() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;
  /// Sums over the ranks, added in rank order.
  virtual void all_sum(std::span<double> values) = 0;
  virtual void all_sum(std::span<std::int64_t> values) = 0;
  virtual void all_max(std::span<double> values) = 0;
  virtual void barrier() = 0;
};

/// One process: complete, with nothing to send.
class SoloComm final : public Comm {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void all_sum(std::span<double>) override {}
  void all_sum(std::span<std::int64_t>) override {}
  void all_max(std::span<double>) override {}
  void barrier() override {}
};

}  // namespace ffdp::dist
