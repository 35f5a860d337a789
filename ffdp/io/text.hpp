// SPDX-License-Identifier: Apache-2.0
// Small functions that every reader of text needs.
#pragma once

#include <string>
#include <system_error>

namespace ffdp::io {

/// `text` without the characters of `blanks` at its ends.
inline std::string trimmed(const std::string& text, const char* blanks = " \t\r\n") {
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

/// `text` with a to z in place of A to Z, in any locale.
inline std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  return text;
}

/// The message of the system for an `errno`.
inline std::string reason(int error) { return std::generic_category().message(error); }

}  // namespace ffdp::io
