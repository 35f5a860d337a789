// SPDX-License-Identifier: Apache-2.0
#include "cli/record.hpp"

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
  for (const auto& search : result.linear)
    j["linear_levels"].push_back(
        {{"stage", search.stage}, {"level", search.level}, {"cost", search.costs}});
  for (const auto& level : result.levels) {
    j["levels"].push_back({{"size_zyx", level.grid.size},
                           {"spacing_xyz_mm", level.grid.spacing},
                           {"seconds", level.seconds},
                           {"sigma_update", level.sigma_update},
                           {"sigma_warp", level.sigma_warp},
                           {"cost", level.costs}});
    if (level.change) j["levels"].back()["start_change"] = *level.change;
  }
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

}  // namespace ffdp::cli
