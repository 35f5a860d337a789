// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <memory>

#include "cli/commands.hpp"
#include "cli/common.hpp"

namespace ffdp::cli {
namespace {

/// Option names of a command ("-i", "--input", ...).
std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  }
  return names;
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text += ' ';
    text += word;
  }
  return text;
}

std::string bash_script(const std::vector<const CLI::App*>& commands) {
  std::string names, cases;
  for (const CLI::App* command : commands) {
    names += command->get_name() + " ";
    cases += "    " + command->get_name() + ") words=\"" + join(option_names(*command)) + "\" ;;\n";
  }
  return "_ffdp() {\n  local current=\"${COMP_WORDS[COMP_CWORD]}\" words=\"\"\n"
         "  case \"${COMP_WORDS[1]}\" in\n" +
         cases + "    *) words=\"" + names +
         "--help --version\" ;;\n  esac\n"
         "  if [[ $COMP_CWORD -gt 1 && \"$current\" != -* ]]; then\n"
         "    COMPREPLY=($(compgen -f -- \"$current\"))\n"
         "  else\n    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n  fi\n}\n"
         "complete -o filenames -F _ffdp ffdp\n";
}

std::string fish_script(const std::vector<const CLI::App*>& commands) {
  std::string text;
  for (const CLI::App* command : commands) {
    const std::string& name = command->get_name();
    text += "complete -c ffdp -n __fish_use_subcommand -f -a " + name + " -d '" +
            command->get_description() + "'\n";
    for (const CLI::Option* option : command->get_options()) {
      text += "complete -c ffdp -n '__fish_seen_subcommand_from " + name + "'";
      for (const std::string& flag : option->get_lnames()) text += " -l " + flag;
      for (const std::string& flag : option->get_snames()) text += " -s " + flag;
      if (option->get_items_expected_max() > 0) text += " -r";
      text += "\n";
    }
  }
  return text;
}

}  // namespace

void add_completion(CLI::App& app) {
  const auto shell = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("completion", "Print a script that completes ffdp");
  command->add_option("SHELL", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->footer(
      "Examples:\n"
      "  source <(ffdp completion bash)\n"
      "  ffdp completion fish > ~/.config/fish/completions/ffdp.fish");
  command->callback([shell, &app] {
    const auto subcommands =
        static_cast<const CLI::App&>(app).get_subcommands([](const CLI::App*) { return true; });
    const std::vector<const CLI::App*> commands(subcommands.begin(), subcommands.end());
    std::string script = *shell == "fish" ? fish_script(commands) : bash_script(commands);
    if (*shell == "zsh") script = "autoload -U +X bashcompinit && bashcompinit\n" + script;
    std::fputs(script.c_str(), stdout);
  });
}

}  // namespace ffdp::cli
