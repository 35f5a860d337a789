// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "ffdp/io/text.hpp"

/// The command line of ANTs' programs, by the rules of its own parser: options with a letter and a
/// long name; values NAME, NAME[a,b,...] or [a,b,...]; several values after one option; stages,
/// which the order of the options decides (see Line). docs/ants.md says what each option means
/// here.
namespace ffdp::cli::ants {

/// One value of an option.
struct Value {
  std::string text;                     ///< as given, its words put together
  std::string name;                     ///< what stands before the bracket; all where there is none
  std::vector<std::string> parameters;  ///< what stands in the bracket, without blanks around it
  bool bracket = false;
  int order = 0;  ///< place among all values of the line
  int stage = 0;  ///< see Line
};

/// What an option may be called.
struct OptionName {
  char letter;  ///< 0: it has none
  std::string name;
};

/// A command line, read. Values of one option that follow each other belong to the same stage; any
/// other option between them begins the next stage. Throws InvalidArgument, naming the word and how
/// it is written right, where the line does not follow the grammar or has an unknown option.
class Line {
 public:
  Line(std::span<const std::string> words, std::vector<OptionName> known);

  /// The values of an option, in the order of the line.
  const std::vector<Value>& values(const std::string& name) const;
  bool has(const std::string& name) const { return !values(name).empty(); }
  /// The last value of an option, as ANTs takes it; `otherwise` where it is not given.
  std::string last(const std::string& name, const std::string& otherwise) const;
  /// An option that is 0 or 1.
  bool flag(const std::string& name, const std::string& otherwise) const;
  /// As flag, where the word true means 1 as well.
  bool flag_or_true(const std::string& name) const;

 private:
  std::vector<OptionName> known_;
  std::vector<std::vector<Value>> values_;
};

/// The words of a line, those of a bracket put together: "MI[ a," "b ]" is one. ( { < and ) } > at
/// the ends of a word are brackets, too.
std::vector<std::string> regroup(std::span<const std::string> words);

/// A value taken apart.
Value parse_value(const std::string& text);

/// Numbers separated by x, as 100x50x10; throws naming `option`.
std::vector<double> numbers(const std::string& option, const std::string& text);
std::vector<int> whole_numbers(const std::string& option, const std::string& text);
double number(const std::string& option, const std::string& text);
int whole_number(const std::string& option, const std::string& text);

using io::lower;  // names may be written in any case

/// Says on stderr what something means here where that is not what it means in ANTs.
void note(const std::string& text);

}  // namespace ffdp::cli::ants
