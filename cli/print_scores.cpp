// SPDX-License-Identifier: Apache-2.0
#include "cli/print_scores.hpp"

#include <cmath>
#include <cstdio>
#include <string>

#include "cli/common.hpp"

namespace ffdp::cli {
namespace {

using nlohmann::ordered_json;

double value(const ordered_json& entry) {
  return entry.is_null() ? std::nan("") : entry.get<double>();
}

}  // namespace

void print_scores(const nlohmann::ordered_json& report, bool summary) {
  if (report.contains("labels")) {
    const auto& l = report["labels"];
    if (!summary) {
      std::printf("%8s %12s %12s %8s %10s %10s\n", "label", "fixed", "warped", "Dice", "HD90 [mm]",
                  "HD95 [mm]");
      for (const auto& s : l["labels"])
        std::printf("%8lld %12lld %12lld %8.4f %10.3f %10.3f\n", s["label"].get<long long>(),
                    s["fixed_voxels"].get<long long>(), s["warped_voxels"].get<long long>(),
                    value(s["dice"]), value(s["hd90_mm"]), value(s["hd95_mm"]));
    }
    std::printf(
        "labels   %lld common, mean Dice %.4f, InvDice %.4f, pooled Dice %.4f, HD90 %.3f mm, "
        "HD95 %.3f mm\n",
        l["common_labels"].get<long long>(), value(l["mean_dice"]), value(l["inverse_dice"]),
        value(l["pooled_dice"]), value(l["mean_hd90_mm"]), value(l["mean_hd95_mm"]));
  }
  if (report.contains("warp"))
    for (const char* where : {"everywhere", "inside"}) {
      const auto& w = report["warp"];
      const std::string suffix = std::string("_") + where;
      if (!w.contains("folds" + suffix)) continue;
      std::printf("warp     %s: folds %lld (%.4f %%), SDlogJ %.4f, determinant %.4f to %.4f%s\n",
                  where, w["folds" + suffix].get<long long>(), value(w["folds_percent" + suffix]),
                  value(w["sd_log_j" + suffix]), value(w["min_j" + suffix]),
                  value(w["max_j" + suffix]), left_out(w["missing" + suffix]).c_str());
    }
  if (report.contains("inverse"))
    for (const auto& [order, entry] : report["inverse"].items())
      std::printf("inverse  %s: mean %.4f voxels, max %.4f\n", order.c_str(),
                  value(entry["mean_voxels"]), value(entry["max_voxels"]));
  if (report.contains("images")) {
    const auto& i = report["images"];
    std::printf("images   NCC %.4f, MI %.4f over %lld voxels\n", value(i["ncc"]), value(i["mi"]),
                i["voxels"].get<long long>());
  }
  if (report.contains("true_warp")) {
    const auto& t = report["true_warp"];
    std::printf("truth    error mean %.3f mm, SD %.3f, median %.3f, 95 %% %.3f, max %.3f\n",
                value(t["mean_mm"]), value(t["sd_mm"]), value(t["median_mm"]), value(t["p95_mm"]),
                value(t["max_mm"]));
  }
  if (report.contains("points"))
    for (const char* when : {"before", "after"}) {
      const auto& p = report["points"][when];
      std::printf(
          "points   TRE %-6s mean %.3f mm, SD %.3f, median %.3f, 95 %% %.3f, max %.3f (%lld)%s\n",
          when, value(p["mean_mm"]), value(p["sd_mm"]), value(p["median_mm"]), value(p["p95_mm"]),
          value(p["max_mm"]), p["points"].get<long long>(), left_out(p["left_out"]).c_str());
    }
}

}  // namespace ffdp::cli
