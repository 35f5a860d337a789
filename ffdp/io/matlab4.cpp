// SPDX-License-Identifier: Apache-2.0
#include "ffdp/io/matlab4.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "ffdp/core/error.hpp"

namespace ffdp::io {
namespace {

// type, rows, columns, imaginary, name length. Type is the decimal number MOPT: byte order,
// 0, precision (0 double, 1 float), kind (0 full numeric).
using Header = std::array<std::int32_t, 5>;

std::int32_t swapped(std::int32_t v) {
  const auto u = static_cast<std::uint32_t>(v);
  return static_cast<std::int32_t>((u >> 24) | ((u >> 8) & 0xff00U) | ((u << 8) & 0xff0000U) |
                                   (u << 24));
}

bool plausible(const Header& h) {
  const int precision = h[0] % 100 / 10;
  return h[0] >= 0 && h[0] < 2000 && h[0] % 10 == 0 && h[0] / 100 % 10 == 0 && precision <= 1 &&
         h[1] >= 0 && h[1] < 10000 && h[2] >= 0 && h[2] < 10000 && h[3] == 0 && h[4] > 0 &&
         h[4] < 256;
}

template <class T>
void append_values(std::vector<double>& values, const char* bytes, std::size_t count, bool swap) {
  for (std::size_t i = 0; i < count; ++i) {
    char one[sizeof(T)];
    std::memcpy(one, bytes + i * sizeof(T), sizeof(T));
    if (swap) std::reverse(one, one + sizeof(T));
    T value;
    std::memcpy(&value, one, sizeof(T));
    values.push_back(static_cast<double>(value));
  }
}

}  // namespace

std::optional<std::vector<MatlabMatrix>> parse_matlab4(const std::string& path,
                                                       const std::string& content) {
  std::vector<MatlabMatrix> matrices;
  std::size_t at = 0;
  while (at < content.size()) {
    Header h;
    if (content.size() - at < sizeof(h)) {
      if (matrices.empty()) return std::nullopt;
      throw IoError(path + ": truncated in the header of its matrix " +
                    std::to_string(matrices.size() + 1));
    }
    std::memcpy(h.data(), content.data() + at, sizeof(h));
    bool swap = false;
    if (!plausible(h)) {
      for (auto& value : h) value = swapped(value);
      swap = true;
    }
    if (!plausible(h)) {
      if (matrices.empty()) return std::nullopt;
      throw IoError(path + ": damaged after its matrix '" + matrices.back().name + "'");
    }
    at += sizeof(h);
    const bool single = h[0] % 100 / 10 == 1;
    const std::size_t name = static_cast<std::size_t>(h[4]);
    const std::size_t count = static_cast<std::size_t>(h[1]) * static_cast<std::size_t>(h[2]);
    const std::size_t bytes = count * (single ? 4 : 8);
    if (content.size() - at < name + bytes) {
      if (matrices.empty() && content.size() - at < name) return std::nullopt;
      throw IoError(path + ": truncated: ends after " + std::to_string(content.size()) +
                    " bytes, " + std::to_string(at + name + bytes) + " are needed");
    }
    MatlabMatrix m{std::string(content.data() + at, name).c_str(), h[1], h[2], {}};
    at += name;
    if (single)
      append_values<float>(m.values, content.data() + at, count, swap);
    else
      append_values<double>(m.values, content.data() + at, count, swap);
    at += bytes;
    matrices.push_back(std::move(m));
  }
  if (matrices.empty()) return std::nullopt;
  return matrices;
}

std::string make_matlab4(const std::vector<MatlabMatrix>& matrices) {
  std::string content;
  const auto append = [&](const void* data, std::size_t bytes) {
    content.append(static_cast<const char*>(data), bytes);
  };
  for (const MatlabMatrix& m : matrices) {
    const Header h{0, m.rows, m.columns, 0, static_cast<std::int32_t>(m.name.size() + 1)};
    append(h.data(), sizeof(h));
    append(m.name.c_str(), m.name.size() + 1);
    append(m.values.data(), m.values.size() * sizeof(double));
  }
  return content;
}

}  // namespace ffdp::io
