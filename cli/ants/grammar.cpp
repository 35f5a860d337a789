// SPDX-License-Identifier: Apache-2.0
#include "cli/ants/grammar.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "ffdp/core/error.hpp"

namespace ffdp::cli::ants {
namespace {

constexpr const char* blanks = " \t\n";  // around a word

bool is_nonzero_number(const std::string& text) {
  return std::strtod(text.c_str(), nullptr) != 0;  // NOLINT: reads a prefix, as ANTs' parser does
}

void check(bool right, const std::string& option, const std::string& got, const char* wanted) {
  if (!right) throw InvalidArgument(option + ": got \"" + got + "\", " + wanted);
}

bool is_whole(double value) { return std::abs(value) < 1e9 && value == std::floor(value); }

/// The square bracket that replaces another kind of bracket.
char square(char c) {
  if (c == '{' || c == '(' || c == '<') return '[';
  return c == '}' || c == ')' || c == '>' ? ']' : c;
}

/// Whether a word names an option. A word that begins as a number other than 0 is a value.
bool is_option(const std::string& word) {
  return word.size() > 1 && word[0] == '-' && !is_nonzero_number(word);
}

void close_bracket_once(const std::string& word) {
  const auto end = word.find(']');
  require(end == word.size() - 1,
          "\"" + word + "\": something follows the bracket; put a blank after ]");
}

/// The probable meaning of an unknown flag.
std::string advice(const std::string& word, const std::vector<OptionName>& known) {
  for (const OptionName& option : known)
    if ("--" + option.name == lower(word)) return "; write --" + option.name;
  if (word.size() > 2 && word[1] != '-' && std::isdigit(static_cast<unsigned char>(word[2])) != 0)
    return "; write " + word.substr(0, 2) + " " + word.substr(2);
  if (const auto equals = word.find('='); equals != std::string::npos)
    return "; write " + word.substr(0, equals) + " " + word.substr(equals + 1);
  return "; --help lists the options";
}

}  // namespace

std::vector<std::string> regroup(std::span<const std::string> words) {
  std::vector<std::string> result;
  std::string open;  // a value whose bracket is not closed yet
  for (std::string word : words) {
    if (!word.empty()) {
      word.front() = square(word.front());
      word.back() = square(word.back());
    }
    const bool closes = word.find(']') != std::string::npos;
    if (closes) close_bracket_once(word);
    if (!open.empty()) {
      check(word.find('[') == std::string::npos, "\"" + open + "\"", word,
            "the ] of the value before it is missing");
      open += word;
      if (closes) result.push_back(std::exchange(open, {}));
    } else if (word.find('[') != std::string::npos) {
      if (closes)
        result.push_back(word);
      else
        open = word;
    } else {
      require(!closes, "\"" + word + "\": ] without a [ before it; write NAME[...]");
      result.push_back(word);
    }
  }
  require(open.empty(), "\"" + open + "\": the ] at its end is missing");
  return result;
}

Value parse_value(const std::string& text) {
  Value value;
  value.text = io::trimmed(text, blanks);
  const auto open = value.text.find('[');
  value.name = io::trimmed(value.text.substr(0, open), blanks);
  if (open == std::string::npos) return value;
  value.bracket = true;
  const std::string body = value.text.substr(open + 1, value.text.size() - open - 2);
  for (std::size_t start = 0; start <= body.size();) {
    const std::size_t end = std::min(body.find(',', start), body.size());
    value.parameters.push_back(io::trimmed(body.substr(start, end - start), blanks));
    start = end + 1;
  }
  return value;
}

Line::Line(std::span<const std::string> words, std::vector<OptionName> known)
    : known_(std::move(known)), values_(known_.size()) {
  std::vector<Value>* current = nullptr;
  bool empty = false;  // the option has no value yet
  int order = 0;
  const auto add = [&](const std::string& text) {
    Value value = parse_value(text);
    value.order = order++;
    if (!current->empty())
      value.stage = current->back().stage + (current->back().order + 1 == value.order ? 0 : 1);
    current->push_back(std::move(value));
    empty = false;
  };
  for (const std::string& word : regroup(words)) {
    if (!is_option(word)) {
      require(current != nullptr, "\"" + word + "\": an option is wanted first, as -d 3");
      add(word);
      continue;
    }
    if (empty) add("1");
    const bool is_long = word.starts_with("--");
    const auto option = std::ranges::find_if(known_, [&](const OptionName& o) {
      return is_long ? word.substr(2) == o.name : word.size() == 2 && word[1] == o.letter;
    });
    require(option != known_.end(), "Invalid flag provided: " + word + advice(word, known_));
    current = &values_[static_cast<std::size_t>(option - known_.begin())];
    empty = true;
  }
  if (empty) add("1");
}

const std::vector<Value>& Line::values(const std::string& name) const {
  for (std::size_t i = 0; i < known_.size(); ++i)
    if (known_[i].name == name) return values_[i];
  throw InvalidArgument("--" + name + ": no such option");
}

std::string Line::last(const std::string& name, const std::string& otherwise) const {
  const auto& all = values(name);
  return all.empty() ? otherwise : all.back().text;
}

bool Line::flag(const std::string& name, const std::string& otherwise) const {
  const std::string text = last(name, otherwise);
  require(text == "0" || text == "1", "--" + name + ": got \"" + text + "\", 0 or 1 is wanted");
  return text == "1";
}

bool Line::flag_or_true(const std::string& name) const {
  const std::string text = lower(last(name, "0"));
  if (text == "true" || text == "false") return text == "true";
  return flag(name, "0");
}

double number(const std::string& option, const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  check(!text.empty() && *end == 0, option, text, "a number is wanted");
  return value;
}

std::vector<double> numbers(const std::string& option, const std::string& text) {
  std::vector<double> result;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find('x', start), text.size());
    const std::string word = io::trimmed(text.substr(start, end - start), blanks);
    char* rest = nullptr;
    result.push_back(std::strtod(word.c_str(), &rest));
    check(!word.empty() && *rest == 0, option, text,
          "numbers with x between them, as 8x4x2, are wanted");
    start = end + 1;
  }
  return result;
}

int whole_number(const std::string& option, const std::string& text) {
  const double value = number(option, text);
  check(is_whole(value), option, text, "a whole number is wanted");
  return static_cast<int>(value);
}

std::vector<int> whole_numbers(const std::string& option, const std::string& text) {
  std::vector<int> result;
  for (const double value : numbers(option, text)) {
    check(is_whole(value) && value >= 0, option, text, "whole numbers, as 100x50x10, are wanted");
    result.push_back(static_cast<int>(value));
  }
  return result;
}

void note(const std::string& text) { std::fprintf(stderr, "note: %s\n", text.c_str()); }

}  // namespace ffdp::cli::ants
