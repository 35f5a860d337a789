// SPDX-License-Identifier: Apache-2.0
#include "ffdp/io/text_transforms.hpp"

#include <algorithm>
#include <cstdio>
#include <sstream>

#include "ffdp/core/error.hpp"
#include "ffdp/io/itk_parameters.hpp"
#include "ffdp/io/text.hpp"

namespace ffdp::io {
namespace {

std::vector<double> numbers(const std::string& path, const std::string& text) {
  std::vector<double> values;
  std::istringstream stream(text);
  std::string word;
  while (stream >> word) {
    std::size_t used = 0;
    double value = 0;
    try {
      value = std::stod(word, &used);
    } catch (const std::exception&) {
      used = 0;
    }
    if (used != word.size())
      throw IoError(path + ": got '" + word.substr(0, 40) + "', a number is wanted");
    values.push_back(value);
  }
  return values;
}

/// The part of `line` behind `key`, if it starts with that.
std::optional<std::string> behind(const std::string& line, const std::string& key) {
  if (line.rfind(key, 0) != 0) return std::nullopt;
  return trimmed(line.substr(key.size()));
}

Affine affine_from_16(const std::vector<double>& m) {
  Affine a;
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) a.linear[i][j] = m[4 * i + j];
    a.translation[i] = m[4 * i + 3];
  }
  return a;
}

// Voxel-to-RAS of the volume described by `lines` from the one that starts with `which`.
Affine lta_volume(const std::string& path, const std::vector<std::string>& lines,
                  const std::string& which) {
  auto line = std::find_if(lines.begin(), lines.end(),
                           [&](const auto& l) { return l.rfind(which, 0) == 0; });
  std::vector<double> size, spacing, centre;
  Mat3 axes{};
  for (; line != lines.end(); ++line) {
    if (line->rfind("dst", 0) == 0 && which != "dst volume info") break;
    const auto equals = line->find('=');
    if (equals == std::string::npos) continue;
    const std::string key = trimmed(line->substr(0, equals)), rest = line->substr(equals + 1);
    if (key == "volume") size = numbers(path, rest);
    if (key == "voxelsize") spacing = numbers(path, rest);
    if (key == "cras") centre = numbers(path, rest);
    for (std::size_t j = 0; j < 3; ++j)
      if (key == std::string(1, "xyz"[j]) + "ras") {
        const std::vector<double> column = numbers(path, rest);
        if (column.size() != 3) break;
        for (std::size_t i = 0; i < 3; ++i) axes[i][j] = column[i];
      }
  }
  if (size.size() != 3 || spacing.size() != 3 || centre.size() != 3)
    throw IoError(path + ": '" + which + "' is incomplete, a voxel-to-voxel .lta needs it");
  Affine a;
  for (std::size_t i = 0; i < 3; ++i) {
    a.translation[i] = centre[i];
    for (std::size_t j = 0; j < 3; ++j) {
      a.linear[i][j] = axes[i][j] * spacing[j];
      a.translation[i] -= a.linear[i][j] * size[j] / 2;
    }
  }
  return a;
}

}  // namespace

std::optional<TransformFile> parse_insight_text(const std::string& path,
                                                const std::string& content) {
  if (content.rfind("#Insight Transform File", 0) != 0) return std::nullopt;
  TransformFile file{path, "ITK text", {}, {}};
  std::string type, line;
  std::vector<double> parameters;
  bool has_parameters = false;
  std::istringstream stream(content);
  while (std::getline(stream, line)) {
    if (const auto name = behind(line, "Transform:")) {
      type = *name;
      has_parameters = false;
    } else if (const auto values = behind(line, "Parameters:")) {
      parameters = numbers(path, *values);
      has_parameters = true;
    } else if (const auto fixed = behind(line, "FixedParameters:")) {
      if (!has_parameters || type.empty())
        throw IoError(path + ": 'FixedParameters' before 'Transform' and 'Parameters'");
      file.add(type, affine_from_itk(path, type, parameters, numbers(path, *fixed)));
      type.clear();
    }
  }
  if (!type.empty() && type.rfind("CompositeTransform", 0) != 0)
    throw IoError(path + ": truncated: " + type + " lacks its parameters");
  // ITK adds the transforms of a file to a composite in order, and the last one added is the
  // first that a point meets.
  std::reverse(file.transforms.begin(), file.transforms.end());
  std::reverse(file.names.begin(), file.names.end());
  return file;
}

std::optional<TransformFile> parse_lta(const std::string& path, const std::string& content) {
  std::istringstream stream(content);
  std::vector<std::string> lines;
  std::string line;
  while (std::getline(stream, line)) lines.push_back(trimmed(line.substr(0, line.find('#'))));
  const auto find = [&](const std::string& key) -> std::optional<std::string> {
    for (const std::string& l : lines) {
      const auto equals = l.find('=');
      if (equals != std::string::npos && trimmed(l.substr(0, equals)) == key)
        return trimmed(l.substr(equals + 1));
    }
    return std::nullopt;
  };
  const auto type = find("type"), count = find("nxforms");
  if (!type || !count) return std::nullopt;
  if (*count != "1") throw IoError(path + ": " + *count + " transforms in an .lta, 1 is supported");
  const auto matrix = std::find(lines.begin(), lines.end(), "1 4 4");
  if (lines.end() - matrix < 5) throw IoError(path + ": no 4x4 matrix after '1 4 4'");
  std::string rows;
  for (int i = 1; i <= 4; ++i) rows += matrix[i] + " ";
  const std::vector<double> values = numbers(path, rows);
  if (values.size() != 16)
    throw IoError(path + ": " + std::to_string(values.size()) + " numbers in its 4x4 matrix");
  Affine forward = affine_from_16(values);  // source to destination
  if (*type == "0")
    forward = lta_volume(path, lines, "dst volume info") * forward *
              inverse(lta_volume(path, lines, "src volume info"));
  else if (*type != "1")
    throw IoError(path + ": .lta of type " + *type +
                  ", 0 (voxel to voxel) and 1 (RAS to RAS) are supported");
  // FreeSurfer's matrix takes moving (src) to fixed (dst) points; ours, as ITK's, the reverse.
  TransformFile file{path, "FreeSurfer .lta (RAS)", {}, {}};
  file.add("LINEAR", inverse(flip_ras_lps(forward)));
  return file;
}

std::optional<TransformFile> parse_xfm(const std::string& path, const std::string& content) {
  if (!content.starts_with("MNI Transform File")) return std::nullopt;
  const auto value = [&](const std::string& key) -> std::optional<std::string> {
    const auto at = content.find(key);
    if (at == std::string::npos) return std::nullopt;
    const auto equals = content.find('=', at), end = content.find(';', at);
    if (equals == std::string::npos || end == std::string::npos || end < equals)
      throw IoError(path + ": '" + key + "' is not followed by '= ... ;'");
    return trimmed(content.substr(equals + 1, end - equals - 1));
  };
  const auto type = value("Transform_Type"), rows = value("Linear_Transform");
  if (!type || !rows || *type != "Linear" ||
      content.find("Transform_Type") != content.rfind("Transform_Type"))
    throw IoError(path + ": holds no single linear transform, which alone is supported of .xfm");
  std::vector<double> m = numbers(path, *rows);
  if (m.size() != 12)
    throw IoError(path + ": " + std::to_string(m.size()) +
                  " numbers in its linear transform, 12 are wanted");
  m.insert(m.end(), {0, 0, 0, 1});
  Affine affine = affine_from_16(m);
  if (value("Invert_Flag").value_or("False") == "True") affine = inverse(affine);
  TransformFile file{path, "MNI .xfm (as ITK reads it: fixed to moving, LPS)", {}, {}};
  file.add("Linear", affine);
  return file;
}

std::optional<TransformFile> parse_4x4(const std::string& path, const std::string& content) {
  std::vector<double> values;
  try {
    values = numbers(path, content);
  } catch (const IoError&) {
    return std::nullopt;
  }
  if (values.size() != 16) return std::nullopt;
  const bool affine = values[12] == 0 && values[13] == 0 && values[14] == 0 && values[15] == 1;
  if (!affine) throw IoError(path + ": a 4x4 matrix whose last row is not 0 0 0 1");
  if (path.ends_with(".fsl"))
    throw IoError(path +
                  ": is an FSL matrix, which needs both images to have a meaning; convert "
                  "it (c3d_affine_tool -fsl2ras -oitk)");
  TransformFile file{path, "4x4 matrix, text (Greedy, RAS)", {}, {}};
  file.add("4x4 matrix", flip_ras_lps(affine_from_16(values)));
  return file;
}

std::string make_insight_text(const ItkParameters& itk) {
  std::string text =
      "#Insight Transform File V1.0\n#Transform 0\nTransform: " + itk.type + "\nParameters:";
  const auto append = [&](double value) {
    char digits[40];
    std::snprintf(digits, sizeof(digits), " %.17g", value);
    text += digits;
  };
  for (double value : itk.parameters) append(value);
  text += "\nFixedParameters:";
  for (double value : itk.fixed) append(value);
  return text + "\n";
}

}  // namespace ffdp::io
