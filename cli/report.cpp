// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <memory>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "cli/ranks.hpp"
#include "cli/report/page.hpp"

#include "ffdp/core/log.hpp"
#include "ffdp/io/atomic_file.hpp"

namespace ffdp::cli {
namespace {

struct ReportCommand {
  std::string prefix, output, fixed_labels;
  Common common;
};

void run(const ReportCommand& command) {
  require_one_process("report");
  Context ctx = start(command.common);
  set_log_sink({});  // what the headers say stands on the page
  report::Sources sources = report::sources_of(command.prefix);
  sources.fixed_labels = command.fixed_labels;
  const std::string name =
      command.output.empty() ? report::page_name(command.prefix) : command.output;
  io::write_file(name, report::make_page(ctx, sources));
  if (!command.common.quiet) std::printf("wrote %s\n", name.c_str());
}

}  // namespace

void add_report(CLI::App& app) {
  auto command = std::make_shared<ReportCommand>();
  CLI::App* sub =
      app.add_subcommand("report", "Make a page of a registration: pictures, maps, costs, checks");
  sub->footer(
      "Reads what `ffdp register -o PREFIX` left and writes PREFIXreport.html, one file that any\n"
      "browser shows without network. Example:\n"
      "  ffdp report out/s1_ --fixed-labels f_seg.nii.gz");
  sub->add_option("PREFIX", command->prefix, "prefix of the registration, as given to register -o")
      ->required();
  sub->add_option("-o,--output", command->output, "page to write, instead of PREFIXreport.html");
  sub->add_option("--fixed-labels", command->fixed_labels,
                  "label map of the fixed image, outlined together with the warped labels");
  add_common(*sub, command->common);
  sub->callback([command] { run(*command); });
}

}  // namespace ffdp::cli
