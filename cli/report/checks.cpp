// SPDX-License-Identifier: Apache-2.0
#include "cli/report/checks.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "cli/report/pictures.hpp"
#include "cli/report/sample.hpp"

#include "ffdp/core/grid.hpp"

namespace ffdp::cli::report {
namespace {

using nlohmann::json;

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.3g", value);
  return text;
}

Check headers(const Sources& s) {
  Check c{"headers", Verdict::good, "The headers of the images say one thing each."};
  std::string found;
  for (const auto& path : {s.fixed, s.moving, s.warped})
    if (!path.empty())
      for (const auto& warning : io::read_info(path).warnings) {
        found += path;
        found += ": " + warning + ". ";
      }
  if (found.empty()) return c;
  return {c.name, Verdict::warning,
          found + "If left and right, or the position, look wrong: this is the first suspect."};
}

Check files(const Sources& s) {
  if (!s.record.contains("written"))
    return {"files", Verdict::not_checked, "This is no record of a registration."};
  if (s.replaced.empty()) return {"files", Verdict::good, "No input was replaced by an output."};
  std::string text;
  for (const auto& path : s.replaced)
    text += path +
            " was replaced by an output of the same name: the pictures show what is there now, "
            "not what was registered. ";
  return {"files", Verdict::warning, text};
}

double volume_of(const Grid& g) {
  double volume = 1;
  for (int a = 0; a < 3; ++a)
    if (g.size[a] > 1) volume *= g.size[a] * g.spacing_zyx()[a];
  return volume;
}

/// The share of the fixed grid whose points an affine brings into the moving grid [1].
double share_inside(const Grid& fixed, const Grid& moving, const Affine& affine) {
  const Affine map = affine * fixed.to_world();
  constexpr int along = 32;  // points along each axis
  std::vector<Vec3> points;
  for (int i = 0; i < along * along * along; ++i) {
    Vec3 v;
    const std::array<int, 3> at{i / (along * along), i / along % along, i % along};
    for (int a = 0; a < 3; ++a) v[a] = (at[a] + 0.5) / along * fixed.size[a] - 0.5;
    points.push_back(map(v));
  }
  const auto found = inside(moving, points);
  return static_cast<double>(std::ranges::count(found, true)) / static_cast<double>(points.size());
}

Check overlap(const Sources& s) {
  if (!s.affine || s.moving.empty())
    return {"overlap", Verdict::not_checked, "No affine and moving image to tell the overlap by."};
  const Grid fixed = io::read_info(s.fixed).grid, moving = io::read_info(s.moving).grid;
  const double share = share_inside(fixed, moving, *s.affine);
  // Against the smaller of both, as it lies in the fixed space: a part of an organ may be all there
  // is. A slice is stretched within its plane only.
  const double smaller =
      std::min(volume_of(fixed), volume_of(moving) / std::abs(determinant(s.affine->linear)));
  const double of_smaller = std::min(1.0, share * volume_of(fixed) / smaller);
  const std::string words = "After the affine, " + number(100 * share) +
                            " % of the fixed grid lies inside the moving one; that is " +
                            number(100 * of_smaller) + " % of the smaller of the two.";
  if (of_smaller >= 0.5) return {"overlap", Verdict::good, words};
  return {"overlap", Verdict::warning,
          "The overlap is small. " + words + " The metrics saw only that part."};
}

/// The faces of its image that a mask touches, in words.
std::string touched_faces(const std::string& path) {
  Planes<float> planes(path, 0);
  const Grid grid = planes.info().grid;
  bool low[3] = {}, high[3] = {};
  const int step = planes_at_a_time(grid);
  for (int lo = 0; lo < grid.size[0]; lo += step) {
    const auto view = planes.get(lo, std::min(lo + step, grid.size[0]));
    const Box box = view.stored;
    for (int z = box.lo[0]; z < box.hi[0]; ++z)
      for (int y = 0; y < box.hi[1]; ++y)
        for (int x = 0; x < box.hi[2]; ++x) {
          const float value = view(z, y, x);
          if (value == 0 || value != value) continue;
          const int at[3] = {z, y, x};
          for (int a = 0; a < 3; ++a) {
            low[a] = low[a] || at[a] == 0;
            high[a] = high[a] || at[a] == grid.size[a] - 1;
          }
        }
  }
  const auto names = name_axes(grid);
  std::string faces;
  for (int a = 0; a < 3; ++a) {
    if (grid.size[a] == 1) continue;
    if (low[a]) faces.append(", ").append(names[a].low);
    if (high[a]) faces.append(", ").append(names[a].high);
  }
  return faces.empty() ? "" : faces.substr(2);
}

Check masks(const Sources& s) {
  if (s.fixed_mask.empty() && s.moving_mask.empty())
    return {"masks", Verdict::not_checked, "No mask was given."};
  std::string found;
  for (const auto& path : {s.fixed_mask, s.moving_mask}) {
    if (path.empty()) continue;
    const std::string faces = touched_faces(path);
    if (!faces.empty())
      found.append(path)
          .append(" touches the edge of its image (")
          .append(faces)
          .append("): what lies there may be cut off. ");
  }
  if (!found.empty()) return {"masks", Verdict::warning, found};
  return {"masks", Verdict::good, "No mask touches the edge of its image."};
}

Check jacobian(const Sources& s) {
  const auto& r = s.record;
  double least = 0;
  long long folded = 0;
  if (r.contains("jacobian")) {
    least = r["jacobian"]["min"];
    folded = r["jacobian"]["folded_voxels"];
  } else if (r.contains("warp")) {  // of an evaluation
    least = r["warp"]["min_j_everywhere"];
    folded = r["warp"]["folds_everywhere"];
  } else {
    return {"jacobian", Verdict::not_checked, "There is no warp."};
  }
  const std::string words = "The smallest determinant of the warp is " + number(least) + ", " +
                            std::to_string(folded) + " voxels fold.";
  if (folded > 0)
    return {"jacobian", Verdict::warning,
            words + " Where it folds, two places become one and the warp has no inverse."};
  if (least < 0.1)
    return {"jacobian", Verdict::warning,
            words + " Below 0.1, tissue is pressed to less than a tenth of its volume."};
  return {"jacobian", Verdict::good, words};
}

Check inverse_check(const Sources& s) {
  if (!s.record.contains("inverse") || !s.record["inverse"].contains("unconverged_voxels"))
    return {"inverse", Verdict::not_checked, "The record says nothing of an inverse."};
  const long long open = s.record["inverse"]["unconverged_voxels"];
  const std::string words = "At " + std::to_string(open) +
                            " voxels the inverse misses its tolerance; the largest residual is " +
                            number(s.record["inverse"]["residual_max_voxels"]) + " voxels.";
  return {"inverse", open > 0 ? Verdict::warning : Verdict::good, words};
}

Check costs(const Sources& s) {
  std::string risen;
  int compared = 0, level = 0;
  for (const auto& l : s.record.value("levels", json::array())) {
    ++level;
    const auto& cost = l["cost"];
    if (cost.size() < 2) continue;
    ++compared;
    const double first = cost.front(), last = cost.back();
    if (!(last < first))
      risen += "At level " + std::to_string(level) +
               " of the deformable stage the cost went from " + number(first) + " to " +
               number(last) + ": it did not fall. ";
  }
  if (compared == 0)
    return {"cost", Verdict::not_checked, "No level with two iterations has its costs on record."};
  if (risen.empty())
    return {"cost", Verdict::good, "The cost fell at every level of the deformable stage."};
  return {"cost", Verdict::warning, risen};
}

}  // namespace

std::vector<Check> check(const Sources& s) {
  return {headers(s), files(s), overlap(s), masks(s), jacobian(s), inverse_check(s), costs(s)};
}

}  // namespace ffdp::cli::report
