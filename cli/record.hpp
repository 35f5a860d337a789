// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "ffdp/registration/register.hpp"

namespace ffdp::cli {

/// Adds to the record of a registration what its result says: plan, times, costs of the levels,
/// Jacobian and inverse.
void add_result(nlohmann::json& record, const registration::Result& result);

/// Keeps the costs of the linear stages, which a result does not hold.
class LinearCosts {
 public:
  /// A sink that keeps them and hands all progress on. This object must outlive it.
  registration::ProgressSink sink(registration::ProgressSink next);
  /// Adds them to the record, a list a level.
  void add_to(nlohmann::json& record) const;

 private:
  struct Level {
    std::string stage;
    int level = 0, iteration = 0;  ///< the last one
    std::vector<double> costs;
  };
  std::vector<Level> levels_;
};

}  // namespace ffdp::cli
