// SPDX-License-Identifier: Apache-2.0
#include "cli/report/page.hpp"

#include <vector>

#include "cli/report/checks.hpp"
#include "cli/report/layers.hpp"
#include "cli/report/page_template.hpp"
#include "cli/report/pictures.hpp"

#include "ffdp/core/error.hpp"
#include "ffdp/io/nifti.hpp"

namespace ffdp::cli::report {
namespace {

using nlohmann::json;

constexpr int positions = 3;  // planes across each axis

json picture_entry(const Picture& p, const Grid& grid) {
  return {{"plane", p.plane},
          {"position", p.position},
          {"voxel", p.index + 1},
          {"voxels", grid.size[p.across]},
          {"columns", p.columns.size()},
          {"rows", p.rows.size()},
          {"width_mm", p.width_mm},
          {"height_mm", p.height_mm},
          {"ends", p.ends},
          {"every",
           {p.columns.size() > 1 ? std::abs(p.columns[1] - p.columns[0]) : 1,
            p.rows.size() > 1 ? std::abs(p.rows[1] - p.rows[0]) : 1}}};
}

const char* word(Verdict verdict) {
  return verdict == Verdict::good      ? "good"
         : verdict == Verdict::warning ? "warning"
                                       : "not checked";
}

/// JSON that may stand in a script element: no "<" in it.
std::string embeddable(const json& data) {
  std::string text;
  for (const char c : data.dump(-1, ' ', true, json::error_handler_t::replace))
    text += c == '<' ? std::string("\\u003c") : std::string(1, c);
  return text;
}

}  // namespace

std::string make_page(Context& ctx, const Sources& s) {
  const Grid grid = io::read_info(s.fixed).grid;
  const auto pictures = choose_pictures(grid, positions);
  json data{{"title", s.title},
            {"program", std::string("ffdp ") + FFDP_VERSION},
            {"fixed", s.fixed},
            {"moving", s.moving},
            {"warped", s.warped},
            {"record", s.record},
            {"size_xyz", {grid.size[2], grid.size[1], grid.size[0]}},
            {"spacing_xyz_mm", grid.spacing},
            {"flat", io::file_dimension(grid) == 2},
            {"oblique_degrees", obliqueness(grid)}};
  for (const Check& c : check(s))
    data["checks"].push_back({{"name", c.name}, {"verdict", word(c.verdict)}, {"text", c.text}});
  for (const Picture& p : pictures) data["pictures"].push_back(picture_entry(p, grid));
  data["layers"] = layers(ctx, s, pictures, points_of(grid, pictures));
  const std::string page = page_template, place = "@DATA@";
  const auto at = page.find(place);
  require(at != std::string::npos, "report: the template of the page has no " + place);
  return page.substr(0, at) + embeddable(data) + page.substr(at + place.size());
}

}  // namespace ffdp::cli::report
