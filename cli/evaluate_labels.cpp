// SPDX-License-Identifier: Apache-2.0
#include "cli/evaluate_labels.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <set>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "cli/shard_files.hpp"

#include "ffdp/core/error.hpp"
#include "ffdp/evaluation/scores.hpp"

namespace ffdp::cli {
namespace {

using nlohmann::ordered_json;

/// What this rank owns of a label map in any type; NaN is background.
struct LabelMap {
  Grid grid;
  std::vector<std::int64_t> values;
};

LabelMap read_label_map(dist::Comm& comm, const std::string& path) {
  const io::NiftiInfo info = io::read_info(path);
  io::require_scalar(info);
  LabelMap map{info.grid, {}};
  io::visit(info.value_type(), [&](auto zero) {
    using T = decltype(zero);
    const auto image = read_shard<T>(comm, path);
    map.values.reserve(static_cast<std::size_t>(image.data.size()));
    for (const T value : image.data) {
      if constexpr (std::is_floating_point_v<T>) {
        // 2^53: not every larger whole number is a float64.
        const bool whole = std::abs(value) <= T{9007199254740992} && value == std::floor(value);
        if (!whole && value == value)
          throw IoError(path + ": holds the value " + std::to_string(value) +
                        ", whole numbers are wanted as labels");
        map.values.push_back(value == value ? static_cast<std::int64_t>(value) : 0);
      } else {
        if (!std::in_range<std::int64_t>(value))
          throw IoError(path + ": holds the label " + std::to_string(value) +
                        ", at most 2^63 - 1 is supported");
        map.values.push_back(static_cast<std::int64_t>(value));
      }
    }
  });
  return map;
}

/// Labels by their rank among `known` (ascending, without 0), counted from 1; 0 stays.
/// @param map  is freed early, because it is large
/// @param own  the voxels that it covers
Field<std::int32_t> ranked(LabelMap map, const std::vector<std::int64_t>& known, const Box& own) {
  Field<std::int32_t> field(Backend::cpu, own);
  std::int64_t last = 0;
  std::int32_t rank = 0;
  std::ranges::transform(map.values, field.begin(), [&](std::int64_t value) {
    if (value == 0) return 0;
    if (value != last)
      rank = static_cast<std::int32_t>(std::ranges::lower_bound(known, value) - known.begin()) + 1;
    last = value;
    return rank;
  });
  return field;
}

/// The labels of all ranks in both maps, ascending, without 0.
std::vector<std::int64_t> known_labels(dist::Comm& comm, const LabelMap& fixed,
                                       const LabelMap& warped) {
  std::set<std::int64_t> labels;
  for (const LabelMap* map : {&fixed, &warped}) {
    std::int64_t last = 0;  // runs of one label are long
    for (const std::int64_t label : map->values)
      if (label != last) labels.insert(last = label);
  }
  const std::vector<std::int64_t> mine(labels.begin(), labels.end());
  for (const std::int64_t label : comm.all_gather_lists(std::span<const std::int64_t>(mine)))
    labels.insert(label);
  labels.erase(0);
  return {labels.begin(), labels.end()};
}

}  // namespace

void require_same_space(const Grid& a, const std::string& name_a, const Grid& b,
                        const std::string& name_b) {
  if (same_space(a, b, 0.01)) return;
  const auto words = [](const Grid& g) { return size_in_words(g.size) + " voxels"; };
  throw InvalidArgument("evaluate: " + name_b + " (" + words(b) + ") lies on another grid than " +
                        name_a + " (" + words(a) + "), resample it first");
}

nlohmann::ordered_json number(double value) {
  return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr);
}

ordered_json labels_report(Context& ctx, dist::Comm& comm, const std::string& fixed_path,
                           const std::string& warped_path) {
  LabelMap fixed_map = read_label_map(comm, fixed_path),
           warped_map = read_label_map(comm, warped_path);
  require_same_space(fixed_map.grid, fixed_path, warped_map.grid, warped_path);
  const std::vector<std::int64_t> known = known_labels(comm, fixed_map, warped_map);
  const Grid grid = fixed_map.grid;
  const dist::Cut cut(comm, grid.domain());
  const auto fixed = ranked(std::move(fixed_map), known, cut.own(comm)),
             warped = ranked(std::move(warped_map), known, cut.own(comm));
  const auto scores = evaluation::compare_labels(ctx, comm, cut, grid.spacing_zyx(), fixed, warped);
  ordered_json table = ordered_json::array();
  for (const evaluation::LabelScore& s : scores.labels)
    table.push_back({{"label", known[static_cast<std::size_t>(s.label - 1)]},
                     {"fixed_voxels", s.fixed_voxels},
                     {"warped_voxels", s.warped_voxels},
                     {"dice", number(s.dice)},
                     {"hd90_mm", number(s.hd90)},
                     {"hd95_mm", number(s.hd95)}});
  return {{"common_labels", scores.common},      {"mean_dice", scores.mean_dice},
          {"inverse_dice", scores.inverse_dice}, {"pooled_dice", scores.pooled_dice},
          {"mean_hd90_mm", scores.mean_hd90},    {"mean_hd95_mm", scores.mean_hd95},
          {"labels", std::move(table)}};
}

}  // namespace ffdp::cli
