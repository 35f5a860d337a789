// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/common.hpp"
#include "cli/register_output.hpp"

#include "ffdp/registration/config.hpp"

namespace ffdp::cli {

/// The options of `ffdp register`, and of `ffdp plan`.
struct RegisterOptions {
  Common common;
  OutputOptions output;
  std::vector<std::string> images, fixed, moving, metrics, settings, start;
  std::string fixed_mask, moving_mask, preset = "default", recipe, iterations, shrink, winsorize,
                                       initialization, linear, device = "auto", memory,
                                       transport = "auto", moving_access;
  int ranks = 1;  ///< threads that each have a share of the images
  int gpus = 0;   ///< not 0: this many ranks, each on a GPU of its own
  double step = 0, sigma_update = -1, sigma_warp = -1, damping = -1;
  std::uint64_t seed = 0;
  bool print_config = false, verbose = false, match_histograms = false, symmetric = false,
       no_deformable = false, report = false;
};

void add_register_options(CLI::App& command, RegisterOptions& options);

/// Sets `fixed` and `moving` from the images given by position.
void take_images(RegisterOptions& options);

/// The configuration from preset, recipe, flags and --set, applied in this order.
registration::Config make_config(const RegisterOptions& options, const CLI::App& command);

}  // namespace ffdp::cli
