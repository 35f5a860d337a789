// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "ffdp/io/text.hpp"

/// Parses the command line of ANTs' programs by the rules of ANTs' own parser. Options have a
/// letter and a long name. Values are NAME, NAME[a,b,...] or [a,b,...]; an option may have several.
/// The order of the options decides the stages (see Line). docs/ants.md says what each option means
/// here.
namespace ffdp::cli::ants {

/// One value of an option.
struct Value {
  std::string text;  ///< as given, with its words joined
  std::string name;  ///< the text before the bracket; all of it without a bracket
  std::vector<std::string> parameters;  ///< the parts in the bracket, without blanks around them
  bool bracket = false;
  int order = 0;  ///< place among all values of the line
  int stage = 0;  ///< see Line
};

/// The names of an option.
struct OptionName {
  char letter;  ///< 0: it has none
  std::string name;
};

/// A parsed command line. Successive values of one option belong to the same stage; any other
/// option between them begins the next stage. Throws InvalidArgument, which names the word and the
/// right way to write it, if the line does not follow the grammar or has an unknown option.
class Line {
 public:
  Line(std::span<const std::string> words, std::vector<OptionName> known);

  /// The values of an option, in the order of the line.
  const std::vector<Value>& values(const std::string& name) const;
  bool has(const std::string& name) const { return !values(name).empty(); }
  /// The last value of an option, which is the one that ANTs takes; `otherwise` if it is not given.
  std::string last(const std::string& name, const std::string& otherwise) const;
  /// An option that is 0 or 1.
  bool flag(const std::string& name, const std::string& otherwise) const;
  /// As flag, but the word true also means 1.
  bool flag_or_true(const std::string& name) const;

 private:
  std::vector<OptionName> known_;
  std::vector<std::vector<Value>> values_;
};

/// The words of a line, with the words of a bracket joined: "MI[ a," "b ]" is one word. ( { < and
/// ) } > at the ends of a word are also brackets.
std::vector<std::string> regroup(std::span<const std::string> words);

/// Splits a value into its name and parameters.
Value parse_value(const std::string& text);

/// Numbers separated by x, as in 100x50x10. Errors name `option`.
std::vector<double> numbers(const std::string& option, const std::string& text);
std::vector<int> whole_numbers(const std::string& option, const std::string& text);
double number(const std::string& option, const std::string& text);
int whole_number(const std::string& option, const std::string& text);

using io::lower;  // names may be written in any case

/// Prints a note on stderr about an option whose meaning differs from that in ANTs.
void note(const std::string& text);

}  // namespace ffdp::cli::ants
