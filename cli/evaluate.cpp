// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "cli/chain_files.hpp"
#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "cli/print_scores.hpp"
#include "cli/report/page.hpp"
#include <nlohmann/json.hpp>

#include "ffdp/core/error.hpp"
#include "ffdp/core/log.hpp"
#include "ffdp/evaluation/scores.hpp"
#include "ffdp/io/atomic_file.hpp"
#include "ffdp/io/points_csv.hpp"
#include "ffdp/ops/jacobian/jacobian.hpp"
#include "ffdp/transforms/apply.hpp"
#include "ffdp/transforms/warp.hpp"

namespace ffdp::cli {
namespace {

using nlohmann::ordered_json;

struct EvaluateCommand {
  std::string fixed, warped, fixed_labels, warped_labels, warp, inverse_warp, true_warp, mask,
      fixed_points, moving_points;
  std::vector<std::string> transforms;
  std::string json, page;
  bool summary = false;
  Common common;
};

/// Both given (true), neither (false), or an error.
bool both(const char* option_a, const std::string& a, const char* option_b, const std::string& b) {
  if (a.empty() == b.empty()) return !a.empty();
  throw InvalidArgument(std::string("evaluate: ") + (a.empty() ? option_b : option_a) +
                        " is given without " + (a.empty() ? option_a : option_b));
}

void require_same_space(const Grid& a, const std::string& name_a, const Grid& b,
                        const std::string& name_b) {
  if (same_space(a, b, 0.01)) return;
  const auto words = [](const Grid& g) { return size_in_words(g.size) + " voxels"; };
  throw InvalidArgument("evaluate: " + name_b + " (" + words(b) + ") lies on another grid than " +
                        name_a + " (" + words(a) + "), resample it first");
}

/// NaN and infinity have no JSON.
ordered_json number(double value) {
  return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr);
}

/// A label map in any type; NaN is background.
struct LabelMap {
  Grid grid;
  std::vector<std::int64_t> values;
};

LabelMap read_label_map(const std::string& path) {
  const io::NiftiInfo info = io::read_info(path);
  io::require_scalar(info);
  LabelMap map{info.grid, {}};
  io::visit(info.value_type(), [&](auto zero) {
    using T = decltype(zero);
    const auto image = io::read_image<T>(path);
    map.values.reserve(static_cast<std::size_t>(image.data.size()));
    for (const T value : image.data) {
      if constexpr (std::is_floating_point_v<T>) {
        // 2^53: beyond, not every whole number is one of a float64.
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
Field<std::int32_t> ranked(const LabelMap& map, const std::vector<std::int64_t>& known) {
  Field<std::int32_t> field(Backend::cpu, map.grid.domain());
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

ordered_json labels_report(Context& ctx, const EvaluateCommand& command) {
  const LabelMap fixed_map = read_label_map(command.fixed_labels),
                 warped_map = read_label_map(command.warped_labels);
  require_same_space(fixed_map.grid, command.fixed_labels, warped_map.grid, command.warped_labels);
  std::vector<std::int64_t> known;
  for (const LabelMap* map : {&fixed_map, &warped_map}) {
    known.insert(known.end(), map->values.begin(), map->values.end());
    std::ranges::sort(known);
    known.erase(std::unique(known.begin(), known.end()), known.end());
  }
  std::erase(known, 0);
  const auto fixed = ranked(fixed_map, known), warped = ranked(warped_map, known);
  const auto scores = evaluation::compare_labels(ctx, fixed_map.grid.spacing_zyx(), fixed, warped);
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

void add_folds(ordered_json& report, const std::string& where, const jacobian::Statistics& s) {
  const double count = static_cast<double>(s.count);
  report["voxels_" + where] = s.count;
  report["missing_" + where] = s.missing;
  report["folds_" + where] = s.folded;
  report["folds_percent_" + where] = number(100 * static_cast<double>(s.folded) / count);
  report["sd_log_j_" + where] = s.sd_log();
  report["min_j_" + where] = s.min;
  report["max_j_" + where] = s.max;
}

ordered_json warp_report(Context& ctx, const EvaluateCommand& command,
                         const Image<std::uint8_t>& mask) {
  DisplacementImage warp = read_warp(ctx, command.warp);
  const Grid grid = warp.grid;
  const Box domain = grid.domain();
  const VectorField<float> u = transforms::to_voxels(ctx, std::move(warp));
  ordered_json report;
  add_folds(report, "everywhere", jacobian::statistics(ctx, domain, domain, u, {}).total());
  if (mask.data.empty()) return report;
  require_same_space(grid, command.warp, mask.grid, "the mask");
  add_folds(report, "inside", jacobian::statistics(ctx, domain, domain, u, mask.data).total());
  return report;
}

ordered_json image_report(Context& ctx, const EvaluateCommand& command,
                          const Image<std::uint8_t>& mask) {
  const auto fixed = io::read_image<float>(command.fixed);
  const auto warped = io::read_image<float>(command.warped);
  require_same_space(fixed.grid, command.fixed, warped.grid, command.warped);
  if (!mask.data.empty()) require_same_space(fixed.grid, command.fixed, mask.grid, "the mask");
  const auto s = evaluation::compare_images(ctx, fixed.data, warped.data, mask.data);
  return {{"voxels", s.voxels}, {"ncc", s.ncc}, {"mi", s.mi}};
}

ordered_json point_entry(const evaluation::PointScores& s) {
  return {{"points", s.count},      {"left_out", s.left_out},        {"mean_mm", number(s.mean)},
          {"sd_mm", number(s.sd)},  {"median_mm", number(s.median)}, {"p95_mm", number(s.p95)},
          {"max_mm", number(s.max)}};
}

ordered_json truth_report(Context& ctx, const EvaluateCommand& command,
                          const Image<std::uint8_t>& mask) {
  const DisplacementImage truth = read_warp(ctx, command.true_warp);
  if (!mask.data.empty()) require_same_space(truth.grid, command.true_warp, mask.grid, "the mask");
  const DisplacementImage warp =
      transforms::compose(ctx, truth.grid, read_chain(ctx, command.transforms));
  return point_entry(evaluation::compare_warps(warp.data, truth.data, mask.data));
}

/// How far a point gets from itself when it goes through one warp and then the other; in voxels of
/// the finest axis, over the mask of the voxels it starts from.
ordered_json consistency_entry(Context& ctx, const std::shared_ptr<const DisplacementImage>& first,
                               const std::shared_ptr<const DisplacementImage>& second,
                               const Image<std::uint8_t>& mask) {
  transforms::CompositeTransform chain;
  chain.append(first);
  chain.append(second);
  const auto& spacing = first->grid.spacing;
  const double voxel = *std::min_element(spacing.begin(), spacing.end());
  double sum = 0, largest = 0;
  std::int64_t count = 0, voxels = 0, missing = 0;
  transforms::compose(
      ctx, first->grid, first->grid.domain(), chain, [&](std::span<const Vec3> vectors) {
        for (const Vec3& v : vectors) {
          if (!mask.data.empty() && !mask.data.data()[voxels++]) continue;
          const double length = std::sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]) / voxel;
          if (!std::isfinite(length)) {
            ++missing;
            continue;
          }
          sum += length;
          largest = std::max(largest, length);
          ++count;
        }
      });
  return {{"mean_voxels", sum / static_cast<double>(std::max<std::int64_t>(count, 1))},
          {"max_voxels", largest},
          {"missing", missing}};
}

ordered_json consistency_report(Context& ctx, const EvaluateCommand& command,
                                const Image<std::uint8_t>& mask) {
  if (command.warp.empty()) throw InvalidArgument("evaluate: --inverse-warp needs --warp");
  const auto read = [&](const std::string& path) {
    return std::make_shared<const DisplacementImage>(read_warp(ctx, path));
  };
  const auto warp = read(command.warp), inverse = read(command.inverse_warp);
  require_same_space(warp->grid, command.warp, inverse->grid, command.inverse_warp);
  if (!mask.data.empty()) require_same_space(warp->grid, command.warp, mask.grid, "the mask");
  return {{"forward_then_inverse", consistency_entry(ctx, warp, inverse, mask)},
          {"inverse_then_forward", consistency_entry(ctx, inverse, warp, mask)}};
}

/// The labels of points where each has one of its own, else nothing.
std::map<std::string, std::size_t> labels_of(const io::PointsTable& table) {
  std::map<std::string, std::size_t> labels;
  const auto column = std::ranges::find(table.columns, "label");
  if (column == table.columns.end()) return {};
  const auto at = static_cast<std::size_t>(column - table.columns.begin());
  for (std::size_t i = 0; i < table.cells.size(); ++i)
    if (table.cells[i][at].empty() || !labels.emplace(table.cells[i][at], i).second) return {};
  return labels;
}

/// The points that belong together: by their labels where both tables have them, else by order.
void pair_points(const io::PointsTable& fixed_table, const io::PointsTable& moving_table,
                 std::vector<Vec3>& fixed, std::vector<Vec3>& moving) {
  const auto of_fixed = labels_of(fixed_table), of_moving = labels_of(moving_table);
  if (of_fixed.empty() || of_moving.empty()) {
    fixed = fixed_table.points;
    moving = moving_table.points;
    return;
  }
  for (const auto& [label, row] : of_fixed)
    if (const auto other = of_moving.find(label); other != of_moving.end()) {
      fixed.push_back(fixed_table.points[row]);
      moving.push_back(moving_table.points[other->second]);
    }
  const std::size_t alone = of_fixed.size() + of_moving.size() - 2 * fixed.size();
  require(!fixed.empty(), "evaluate: the points have no label in common");
  if (alone > 0)
    log(Level::warning, "evaluate: " + std::to_string(alone) +
                            " points have a label that the other file lacks: they are left out");
}

ordered_json point_report(Context& ctx, const EvaluateCommand& command) {
  std::vector<Vec3> fixed, moving;
  pair_points(io::read_points(command.fixed_points), io::read_points(command.moving_points), fixed,
              moving);
  std::vector<Vec3> mapped = fixed;
  read_chain(ctx, command.transforms).map(ctx, mapped);
  return {{"before", point_entry(evaluation::compare_points(fixed, moving))},
          {"after", point_entry(evaluation::compare_points(mapped, moving))}};
}

/// The mask of --mask, else where --fixed-labels is not background, else empty.
Image<std::uint8_t> mask_of(const EvaluateCommand& command) {
  const std::string& path = command.mask.empty() ? command.fixed_labels : command.mask;
  return path.empty() ? Image<std::uint8_t>{} : read_mask(path);
}

/// The page of the images and the warp that were given.
void write_page(Context& ctx, const EvaluateCommand& command, const ordered_json& report) {
  require(!command.fixed.empty(),
          "evaluate: --report shows images, --fixed and --warped are wanted");
  const Grid grid = io::read_info(command.fixed).grid;
  report::Sources s;
  s.title = command.warped;
  s.fixed = command.fixed;
  s.warped = command.warped;
  s.fixed_labels = command.fixed_labels;
  s.warped_labels = command.warped_labels;
  s.fixed_mask = command.mask;
  s.record = report;
  const auto warp = [&](const std::string& path) -> std::string {
    if (path.empty() || io::is_nifti(path)) {
      if (!path.empty()) require_same_space(grid, command.fixed, io::read_info(path).grid, path);
      return path;
    }
    log(Level::warning, path + ": is no NIfTI file, the page shows no map of it");
    return "";
  };
  s.warp = warp(command.warp);
  s.inverse_warp = warp(command.inverse_warp);
  io::write_file(command.page, report::make_page(ctx, s));
}

void run(const EvaluateCommand& command) {
  Context ctx = start(command.common);
  ordered_json report;
  const bool images = both("--fixed", command.fixed, "--warped", command.warped);
  const bool labels =
      both("--fixed-labels", command.fixed_labels, "--warped-labels", command.warped_labels);
  const bool points =
      both("--fixed-points", command.fixed_points, "--moving-points", command.moving_points);
  const bool warps = !command.warp.empty() || !command.true_warp.empty();
  if (!images && !labels && !points && !warps)
    throw InvalidArgument(
        "evaluate: nothing to evaluate is given, wanted images, labels, a warp or points");
  const Image<std::uint8_t> mask = images || warps ? mask_of(command) : Image<std::uint8_t>{};
  if (labels) report["labels"] = labels_report(ctx, command);
  if (!command.warp.empty()) report["warp"] = warp_report(ctx, command, mask);
  if (!command.inverse_warp.empty()) report["inverse"] = consistency_report(ctx, command, mask);
  if (images) report["images"] = image_report(ctx, command, mask);
  if (!command.true_warp.empty()) report["true_warp"] = truth_report(ctx, command, mask);
  if (points) report["points"] = point_report(ctx, command);
  if (!command.json.empty()) io::write_file(command.json, report.dump(2) + "\n");
  if (!command.common.quiet) print_scores(report, command.summary);
  if (!command.page.empty()) write_page(ctx, command, report);
}

}  // namespace

void add_evaluate(CLI::App& app) {
  auto command = std::make_shared<EvaluateCommand>();
  CLI::App* sub =
      app.add_subcommand("evaluate", "Judge a registration: Dice, distances, folds, TRE");
  sub->footer(
      "Whatever is given is evaluated; docs/evaluation.md defines the figures. Example:\n"
      "  ffdp evaluate --fixed-labels f_seg.nii.gz --warped-labels w_seg.nii.gz \\\n"
      "    --warp out/1Warp.nii.gz --json out/scores.json");
  sub->add_option("--fixed", command->fixed, "Fixed image");
  sub->add_option("--warped", command->warped, "Moving image, resampled into the fixed grid");
  sub->add_option("--fixed-labels", command->fixed_labels, "Label map of the fixed image");
  sub->add_option("--warped-labels", command->warped_labels,
                  "Label map of the moving image, "
                  "resampled into the fixed grid");
  sub->add_option("--warp", command->warp, "Displacement field, for folds and SDlogJ");
  sub->add_option("--inverse-warp", command->inverse_warp,
                  "Its inverse: how far points get from themselves through both");
  sub->add_option("--true-warp", command->true_warp,
                  "Known displacement from fixed to moving, compared with the chain of -t");
  sub->add_option("--mask", command->mask,
                  "Where images and warp count; else where --fixed-labels "
                  "is not 0; else everywhere");
  sub->add_option("--fixed-points", command->fixed_points, "Landmarks, CSV with x, y, z, LPS mm");
  sub->add_option("--moving-points", command->moving_points, "The same landmarks, moving image");
  add_transforms(*sub, command->transforms);
  sub->add_option("--json", command->json, "Write everything to this file, too");
  sub->add_option("--report", command->page,
                  "Show images, labels and warp on a page as `ffdp report` does, in this file");
  sub->add_flag("--summary", command->summary, "Print no line for each label");
  add_common(*sub, command->common);
  sub->callback([command] { run(*command); });
}

}  // namespace ffdp::cli
