// SPDX-License-Identifier: Apache-2.0
#include "cli/ants/programs.hpp"
namespace ffdp::cli::ants {
int registration(std::span<const std::string>) { return 1; }
int registration_syn(std::span<const std::string>) { return 1; }
int registration_syn_quick(std::span<const std::string>) { return 1; }
}  // namespace ffdp::cli::ants
