// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

/// One function per subcommand. It adds the options of the subcommand and sets its callback.
namespace ffdp::cli {

/// @param words  the command line, for the record
void add_register(CLI::App& app, const std::vector<std::string>& words);
void add_plan(CLI::App& app);
void add_apply(CLI::App& app);
void add_compose(CLI::App& app);
void add_invert(CLI::App& app);
void add_info(CLI::App& app);
void add_jacobian(CLI::App& app);
void add_evaluate(CLI::App& app);
void add_report(CLI::App& app);
void add_phantom(CLI::App& app);
void add_bench(CLI::App& app);
void add_completion(CLI::App& app);

}  // namespace ffdp::cli
