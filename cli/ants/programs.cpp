// SPDX-License-Identifier: Apache-2.0
#include "cli/ants/programs.hpp"

#include <cstdio>
#include <filesystem>

namespace ffdp::cli::ants {

Program program_of(const std::string& argv0) {
  const std::string name = std::filesystem::path(argv0).filename().string();
  if (name == "antsRegistration") return registration;
  if (name == "antsApplyTransforms") return apply_transforms;
  if (name == "antsApplyTransformsToPoints") return apply_transforms_to_points;
  if (name == "antsRegistrationSyN.sh") return registration_syn;
  if (name == "antsRegistrationSyNQuick.sh") return registration_syn_quick;
  if (name == "CreateJacobianDeterminantImage") return jacobian_determinant;
  return nullptr;
}

std::optional<int> answered(std::span<const std::string> words, const char* help) {
  if (words.empty()) {
    std::fputs(help, stderr);
    return 1;
  }
  for (const std::string& word : words) {
    if (word == "--version") {
      // Pipelines read the number in the first line and compare it with what they need of ANTs.
      std::printf("ANTs Version: 2.5.4\nffdp %s under the name of a program of ANTs\n",
                  FFDP_VERSION);
      return 0;
    }
    if (word == "-h" || word == "--help") {
      std::fputs(help, stdout);
      return 0;
    }
  }
  return std::nullopt;
}

Context start_cpu() { return start({}); }

}  // namespace ffdp::cli::ants
