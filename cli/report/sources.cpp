// SPDX-License-Identifier: Apache-2.0
#include "cli/report/sources.hpp"

#include <filesystem>
#include <fstream>
#include <utility>

#include "cli/register_output.hpp"

#include "ffdp/core/error.hpp"
#include "ffdp/io/transform_file.hpp"

namespace ffdp::cli::report {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string text(const json& record, const char* key) {
  return record.contains(key) && record[key].is_string() ? record[key].get<std::string>() : "";
}

/// The first name of a list; an input is named relative to the folder in which it was given.
std::string input(const json& record, const char* key) {
  std::string name = text(record, key);
  if (record.contains(key) && record[key].is_array() && !record[key].empty())
    name = record[key][0].get<std::string>();
  if (name.empty() || fs::exists(name)) return name;
  const fs::path there = fs::path(text(record, "folder")) / name;
  return fs::exists(there) ? there.string() : name;
}

std::string output(const std::string& prefix, const json& record, const std::string& name) {
  for (const auto& written : record.value("written", json::array()))
    if (written == name && fs::exists(prefix + name)) return prefix + name;
  return "";
}

bool same_file(const std::string& a, const std::string& b) {
  std::error_code error;
  return !a.empty() && !b.empty() && fs::equivalent(a, b, error);
}

}  // namespace

std::string page_name(const std::string& prefix) { return prefix + "report.html"; }

Sources sources_of(const std::string& prefix) {
  const std::string name = record_name(prefix);
  std::ifstream file(name);
  if (!file) throw IoError(name + ": cannot be opened; ffdp register writes it");
  Sources s;
  s.record = json::parse(file, nullptr, false);
  if (!s.record.is_object() || !s.record.contains("written"))
    throw IoError(name + ": is not the record of a registration of this version");
  s.title = prefix;
  s.fixed = input(s.record, "fixed");
  s.moving = input(s.record, "moving");
  s.fixed_mask = input(s.record, "fixed_mask");
  s.moving_mask = input(s.record, "moving_mask");
  for (const auto& image : {s.fixed, s.moving})
    if (!fs::exists(image))
      throw IoError(std::string(name).append(": names the image ").append(image) +
                    ", which is gone");
  s.warped = output(prefix, s.record, "Warped.nii.gz");
  s.warp = output(prefix, s.record, "1Warp.nii.gz");
  s.inverse_warp = output(prefix, s.record, "1InverseWarp.nii.gz");
  s.warped_labels = output(prefix, s.record, "WarpedLabels.nii.gz");
  if (const auto path = output(prefix, s.record, "0GenericAffine.mat"); !path.empty())
    s.affine = std::get<Affine>(io::read_transform(path).transforms.at(0));
  s.start = Affine{};
  for (const auto& in : {s.fixed, s.moving, s.fixed_mask, s.moving_mask})
    for (const auto& written : s.record["written"])
      if (same_file(in, prefix + written.get<std::string>())) s.replaced.push_back(in);
  return s;
}

}  // namespace ffdp::cli::report
