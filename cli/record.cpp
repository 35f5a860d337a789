// SPDX-License-Identifier: Apache-2.0
#include "cli/record.hpp"

#include <utility>

#include "cli/plan.hpp"

namespace ffdp::cli {

void add_result(nlohmann::json& j, const registration::Result& result) {
  for (const auto& stage : result.plan.stages)
    j["plan"]["stages"].push_back(
        {{"name", stage.name}, {"size_zyx", stage.size}, {"mib", stage.bytes >> 20U}});
  j["plan"]["mode"] = memory_name(result.plan.mode);
  j["plan"]["peak_mib"] = result.plan.peak >> 20U;
  for (const auto& time : result.times)
    j["stages"].push_back({{"name", time.name}, {"seconds", time.seconds}});
  for (const auto& level : result.levels)
    j["levels"].push_back({{"size_zyx", level.grid.size},
                           {"spacing_xyz_mm", level.grid.spacing},
                           {"seconds", level.seconds},
                           {"cost", level.costs}});
  const auto& jac = result.jacobian;
  if (jac.count > 0) {
    j["jacobian"] = {{"min", jac.min},
                     {"max", jac.max},
                     {"sd_log", jac.sd_log()},
                     {"folded_voxels", jac.folded}};
    j["inverse"] = {{"residual_mean_voxels", result.inverse_residual.sum / double(jac.count)},
                    {"residual_max_voxels", result.inverse_residual.max},
                    {"unconverged_voxels", result.inverse_residual.unconverged}};
  }
}

registration::ProgressSink LinearCosts::sink(registration::ProgressSink next) {
  return [this, next = std::move(next)](const registration::Progress& p) {
    const std::string stage = p.stage;
    if (stage != "initialization" && stage != "deformable") {
      const bool goes_on = !levels_.empty() && levels_.back().stage == stage &&
                           levels_.back().level == p.level &&
                           levels_.back().iteration < p.iteration;
      if (!goes_on) levels_.push_back({stage, p.level, 0, {}});
      levels_.back().iteration = p.iteration;
      levels_.back().costs.push_back(p.cost);
    }
    if (next) next(p);
  };
}

void LinearCosts::add_to(nlohmann::json& record) const {
  for (const Level& level : levels_)
    record["linear_levels"].push_back(
        {{"stage", level.stage}, {"level", level.level}, {"cost", level.costs}});
}

}  // namespace ffdp::cli
