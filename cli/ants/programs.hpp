// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>

#include "cli/common.hpp"

/// ANTs' programs. The name under which `ffdp` is called decides which one runs.
namespace ffdp::cli::ants {

/// A program of ANTs: takes the words after its name, returns the exit code.
using Program = int (*)(std::span<const std::string> words);

/// The program that argv[0] names, with or without a folder; null if it names none.
Program program_of(const std::string& argv0);

int registration(std::span<const std::string> words);
int apply_transforms(std::span<const std::string> words);
int apply_transforms_to_points(std::span<const std::string> words);
int registration_syn(std::span<const std::string> words);
int registration_syn_quick(std::span<const std::string> words);
int jacobian_determinant(std::span<const std::string> words);

/// Answers --version, -h, --help and an empty line. Returns the exit code if the line was one of
/// these.
std::optional<int> answered(std::span<const std::string> words, const char* help);

/// A context for the CPU; the library's warnings go to stderr.
Context start_cpu();

}  // namespace ffdp::cli::ants
