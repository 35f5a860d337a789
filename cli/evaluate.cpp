// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cli/chain_files.hpp"
#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "cli/evaluate_labels.hpp"
#include "cli/print_scores.hpp"
#include "cli/ranks.hpp"
#include "cli/report/page.hpp"
#include "cli/shard_files.hpp"
#include <nlohmann/json.hpp>

#include "ffdp/core/error.hpp"
#include "ffdp/core/log.hpp"
#include "ffdp/dist/ordered_sum.hpp"
#include "ffdp/evaluation/scores.hpp"
#include "ffdp/io/atomic_file.hpp"
#include "ffdp/io/points_csv.hpp"
#include "ffdp/ops/jacobian/jacobian.hpp"
#include "ffdp/transforms/apply.hpp"

namespace ffdp::cli {
namespace {

using nlohmann::ordered_json;

struct EvaluateCommand {
  std::string fixed, warped, fixed_labels, warped_labels, warp, inverse_warp, true_warp, mask,
      fixed_points, moving_points;
  std::vector<std::string> transforms;
  std::string json, page;
  bool summary = false;
  int ranks = 1;
  Common common;
};

/// Both given (true), neither (false), or an error.
bool both(const char* option_a, const std::string& a, const char* option_b, const std::string& b) {
  if (a.empty() == b.empty()) return !a.empty();
  throw InvalidArgument(std::string("evaluate: ") + (a.empty() ? option_b : option_a) +
                        " is given without " + (a.empty() ? option_a : option_b));
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

ordered_json warp_report(Context& ctx, dist::Comm& comm, const EvaluateCommand& command,
                         const Image<std::uint8_t>& mask) {
  const VoxelWarp warp = read_voxel_warp(ctx, comm, command.warp);
  const auto statistics = [&](const View<const std::uint8_t>& where) {
    return dist::ordered_sum(
        comm, warp.cut,
        jacobian::statistics(ctx, warp.cut.domain(), warp.cut.own(comm), warp.u, where));
  };
  ordered_json report;
  add_folds(report, "everywhere", statistics({}));
  if (mask.data.empty()) return report;
  require_same_space(warp.grid, command.warp, mask.grid, "the mask");
  add_folds(report, "inside", statistics(mask.data));
  return report;
}

ordered_json image_report(Context& ctx, dist::Comm& comm, const EvaluateCommand& command,
                          const Image<std::uint8_t>& mask) {
  const auto fixed = read_shard<float>(comm, command.fixed);
  const auto warped = read_shard<float>(comm, command.warped);
  require_same_space(fixed.grid, command.fixed, warped.grid, command.warped);
  if (!mask.data.empty()) require_same_space(fixed.grid, command.fixed, mask.grid, "the mask");
  const dist::Cut cut(comm, fixed.grid.domain());
  const auto s = evaluation::compare_images(ctx, comm, cut, fixed.data, warped.data, mask.data);
  return {{"voxels", s.voxels}, {"ncc", s.ncc}, {"mi", s.mi}};
}

ordered_json point_entry(const evaluation::PointScores& s) {
  return {{"points", s.count},      {"left_out", s.left_out},        {"mean_mm", number(s.mean)},
          {"sd_mm", number(s.sd)},  {"median_mm", number(s.median)}, {"p95_mm", number(s.p95)},
          {"max_mm", number(s.max)}};
}

ordered_json truth_report(Context& ctx, dist::Comm& comm, const EvaluateCommand& command,
                          const Image<std::uint8_t>& mask) {
  const DisplacementImage truth = read_warp(ctx, comm, command.true_warp);
  const Grid& grid = truth.grid;
  if (!mask.data.empty()) require_same_space(grid, command.true_warp, mask.grid, "the mask");
  const dist::Cut cut(comm, grid.domain());
  const Box own = cut.own(comm);
  const DisplacementImage warp = transforms::compose(
      ctx, grid, own, open_chain(ctx, comm, command.transforms).reaching(ctx, grid, own).chain);
  return point_entry(evaluation::compare_warps(comm, cut, warp.data, truth.data, mask.data));
}

/// Distances between points and their images.
struct Drift {
  double sum = 0, largest = 0;  ///< [voxels]
  std::int64_t count = 0, missing = 0;
  Drift& operator+=(const Drift& other) {
    sum += other.sum;
    largest = std::max(largest, other.largest);
    count += other.count;
    missing += other.missing;
    return *this;
  }
};

/// The distance between a point and its image through one warp and then the other, in voxels of the
/// finest axis, over the voxels of the mask. All fields are stored over what this rank owns.
ordered_json consistency_entry(Context& ctx, dist::Comm& comm,
                               const std::shared_ptr<const DisplacementImage>& first,
                               const std::shared_ptr<const DisplacementImage>& second,
                               const Image<std::uint8_t>& mask) {
  const Grid& grid = first->grid;
  const dist::Cut cut(comm, grid.domain());
  const Box own = cut.own(comm);
  transforms::ChainSource chain;
  chain.append(transforms::source_of_shards(comm, first));
  chain.append(transforms::source_of_shards(comm, second));
  const auto reaching = chain.reaching(ctx, grid, own);
  const double voxel = *std::min_element(grid.spacing.begin(), grid.spacing.end());
  PlaneSums<Drift> planes{std::vector<Drift>(static_cast<std::size_t>(own.size(0)))};
  const std::int64_t plane = std::int64_t{own.size(1)} * own.size(2);
  std::int64_t at = 0;
  transforms::compose(ctx, grid, own, reaching.chain, [&](std::span<const Vec3> vectors) {
    for (const Vec3& v : vectors) {
      const std::int64_t i = at++;
      if (!mask.data.empty() && !mask.data.data()[i]) continue;
      const double length = std::sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]) / voxel;
      planes.of_planes[static_cast<std::size_t>(i / plane)] +=
          std::isfinite(length) ? Drift{length, length, 1, 0} : Drift{0, 0, 0, 1};
    }
  });
  const Drift drift = dist::ordered_sum(comm, cut, planes);
  return {{"mean_voxels", drift.sum / static_cast<double>(std::max<std::int64_t>(drift.count, 1))},
          {"max_voxels", drift.largest},
          {"missing", drift.missing}};
}

ordered_json consistency_report(Context& ctx, dist::Comm& comm, const EvaluateCommand& command,
                                const Image<std::uint8_t>& mask) {
  if (command.warp.empty()) throw InvalidArgument("evaluate: --inverse-warp needs --warp");
  const auto read = [&](const std::string& path) {
    return std::make_shared<const DisplacementImage>(read_warp(ctx, comm, path));
  };
  const auto warp = read(command.warp), inverse = read(command.inverse_warp);
  require_same_space(warp->grid, command.warp, inverse->grid, command.inverse_warp);
  if (!mask.data.empty()) require_same_space(warp->grid, command.warp, mask.grid, "the mask");
  return {{"forward_then_inverse", consistency_entry(ctx, comm, warp, inverse, mask)},
          {"inverse_then_forward", consistency_entry(ctx, comm, inverse, warp, mask)}};
}

/// The labels of points if each point has its own; else nothing.
std::map<std::string, std::size_t> labels_of(const io::PointsTable& table) {
  std::map<std::string, std::size_t> labels;
  const auto column = std::ranges::find(table.columns, "label");
  if (column == table.columns.end()) return {};
  const auto at = static_cast<std::size_t>(column - table.columns.begin());
  for (std::size_t i = 0; i < table.cells.size(); ++i)
    if (table.cells[i][at].empty() || !labels.emplace(table.cells[i][at], i).second) return {};
  return labels;
}

/// Pairs of corresponding points: by their labels if both tables have labels, else by order.
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

ordered_json point_report(Context& ctx, dist::Comm& comm, const EvaluateCommand& command) {
  std::vector<Vec3> fixed, moving;
  pair_points(io::read_points(command.fixed_points), io::read_points(command.moving_points), fixed,
              moving);
  std::vector<Vec3> mapped = fixed;
  open_chain(ctx, comm, command.transforms).map(ctx, comm, mapped);
  return {{"before", point_entry(evaluation::compare_points(fixed, moving))},
          {"after", point_entry(evaluation::compare_points(mapped, moving))}};
}

/// The mask of --mask, else where --fixed-labels is not background, else empty.
Image<std::uint8_t> mask_of(dist::Comm& comm, const EvaluateCommand& command) {
  const std::string& path = command.mask.empty() ? command.fixed_labels : command.mask;
  return path.empty() ? Image<std::uint8_t>{} : read_mask(comm, path);
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

void run(Context& ctx, dist::Comm& comm, const EvaluateCommand& command) {
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
  const Image<std::uint8_t> mask = images || warps ? mask_of(comm, command) : Image<std::uint8_t>{};
  if (labels)
    report["labels"] = labels_report(ctx, comm, command.fixed_labels, command.warped_labels);
  if (!command.warp.empty()) report["warp"] = warp_report(ctx, comm, command, mask);
  if (!command.inverse_warp.empty())
    report["inverse"] = consistency_report(ctx, comm, command, mask);
  if (images) report["images"] = image_report(ctx, comm, command, mask);
  if (!command.true_warp.empty()) report["true_warp"] = truth_report(ctx, comm, command, mask);
  if (points) report["points"] = point_report(ctx, comm, command);
  if (comm.rank() != 0) return;
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
      "Evaluates whatever is given; docs/evaluation.md defines the figures. Example:\n"
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
                  "Inverse of --warp: distance between points and their images through both");
  sub->add_option("--true-warp", command->true_warp,
                  "Known displacement from fixed to moving, compared with the chain of -t");
  sub->add_option("--mask", command->mask,
                  "Where images and warp count; without it, where "
                  "--fixed-labels is not 0; without both, everywhere");
  sub->add_option("--fixed-points", command->fixed_points, "Landmarks, CSV with x, y, z, LPS mm");
  sub->add_option("--moving-points", command->moving_points, "The same landmarks, moving image");
  add_transforms(*sub, command->transforms);
  sub->add_option("--json", command->json, "Also write all figures to this file");
  sub->add_option("--report", command->page,
                  "Show images, labels and warp on a page as `ffdp report` does, in this file");
  sub->add_flag("--summary", command->summary, "Leave out the lines of single labels");
  add_ranks(*sub, command->ranks);
  add_common(*sub, command->common);
  sub->callback([command] {
    on_ranks(command->common, command->ranks,
             [&](Context& ctx, dist::Comm& comm) { run(ctx, comm, *command); });
  });
}

}  // namespace ffdp::cli
