// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "cli/report/mosaic.hpp"

#include "ffdp/core/copy.hpp"
#include "ffdp/core/error.hpp"
#include "ffdp/io/atomic_file.hpp"
#include "ffdp/io/nifti.hpp"
#include "ffdp/io/transform_file.hpp"
#include "ffdp/transforms/warp.hpp"

namespace ffdp::cli {
namespace {

void print_grid(const Grid& g) {
  std::printf("  size       %d x %d x %d voxels (x, y, z)\n", g.size[2], g.size[1], g.size[0]);
  std::printf("  spacing    %.9g x %.9g x %.9g mm\n", g.spacing[0], g.spacing[1], g.spacing[2]);
  std::printf("  origin     %.9g %.9g %.9g mm (LPS)\n", g.origin[0], g.origin[1], g.origin[2]);
  std::printf("  direction ");
  for (const auto& row : g.direction) std::printf(" [%.6g %.6g %.6g]", row[0], row[1], row[2]);
  // Where the axes point, in words: the largest part of each column, LPS positive.
  std::string axes;
  for (int j = 0; j < 3; ++j) {
    int most = 0;
    for (int i = 1; i < 3; ++i)
      if (std::abs(g.direction[i][j]) > std::abs(g.direction[most][j])) most = i;
    axes += (g.direction[most][j] > 0 ? "LPS" : "RAI")[most];
  }
  const Vec3 c = g.centre();
  std::printf(" (axes run to %s)\n  centre     %.9g %.9g %.9g mm (LPS)\n", axes.c_str(), c[0], c[1],
              c[2]);
}

void print_affine(const char* name, const Affine& a) {
  for (int i = 0; i < 3; ++i)
    std::printf("  %-10s [%12.8g %12.8g %12.8g %12.8g]\n", i == 0 ? name : "", a.linear[i][0],
                a.linear[i][1], a.linear[i][2], a.translation[i]);
}

const char* code_name(int code) {
  static constexpr const char* names[] = {"unknown",   "scanner", "aligned",
                                          "Talairach", "MNI152",  "template"};
  return code >= 0 && code <= 5 ? names[code] : "invalid";
}

/// The source of the grid of a NIfTI header, in words.
void print_codes(const io::NiftiInfo& info) {
  const char* source = info.grid_source == io::GridSource::sform   ? "the sform"
                       : info.grid_source == io::GridSource::qform ? "the qform"
                                                                   : "the spacing alone";
  std::printf("  placed by  %s\n", source);
  std::printf("  sform code %d (%s), index to RAS mm\n", info.sform_code,
              code_name(info.sform_code));
  print_affine("sform", info.sform);
  std::printf("  qform code %d (%s), index to RAS mm\n", info.qform_code,
              code_name(info.qform_code));
  print_affine("qform", info.qform);
}

void print_image(const io::NiftiInfo& info) {
  const std::string kind =
      info.kind == "NIfTI" ? "NIfTI-" + std::to_string(info.version) : info.kind;
  const bool pair = info.kind == "NIfTI" && info.data_path != info.path;
  std::printf("%s: %s %s%s\n", info.path.c_str(), kind.c_str(),
              pair ? "pair of .hdr and .img" : "image", info.compressed ? ", gzip" : "");
  print_grid(info.grid);
  std::printf("  voxels     %s, %s-endian, value = %.9g * stored + %.9g\n",
              info.unsupported.empty() ? to_string(info.type) : info.unsupported.c_str(),
              info.big_endian ? "big" : "little", info.slope, info.intercept);
  if (info.volumes() > 1)
    std::printf("  volumes    %lld, step %.9g\n", static_cast<long long>(info.volumes()),
                info.time_step);
  if (info.components() > 1)
    std::printf("  components %lld, intent %d\n", static_cast<long long>(info.components()),
                info.intent);
  if (info.kind == "NIfTI") print_codes(info);
  for (const std::string& warning : info.warnings)
    std::printf("  warning    %s\n", warning.c_str());
}

/// Angle of the rotation nearest to m [degrees]; m must not be singular.
double rotation_angle(Mat3 m) {
  for (int step = 0; step < 40; ++step) {  // Newton's iteration to the polar factor
    const Mat3 inverse_m = inverse(m);
    for (int i = 0; i < 3; ++i)
      for (int j = 0; j < 3; ++j) m[i][j] = 0.5 * (m[i][j] + inverse_m[j][i]);
  }
  const double trace = m[0][0] + m[1][1] + m[2][2];
  return std::acos(std::clamp((trace - 1) / 2, -1.0, 1.0)) * 180 / std::acos(-1.0);
}

void describe(const Affine& a) {
  print_affine("LPS mm", a);
  const double det = determinant(a.linear);
  std::printf("  volume     x %.6g%s\n", det,
              det < 0    ? " (mirrors)"
              : det == 0 ? " (singular: cannot be inverted)"
                         : "");
  if (std::abs(det) > 1e-9)
    std::printf("  rotation   %.4g degrees, scale %.6g on average\n", rotation_angle(a.linear),
                std::cbrt(std::abs(det)));
}

void describe(const std::shared_ptr<const DisplacementImage>& d) {
  print_grid(d->grid);
  DisplacementImage field{d->grid, copy_to(Context{}, Backend::cpu, d->data)};
  const std::int64_t missing = transforms::mark_missing(field, field.grid.domain());
  const std::int64_t voxels = field.grid.domain().volume();
  const float* const data = field.data.data();
  double sum = 0, most = 0;
  for (std::int64_t i = 0; i < voxels; ++i) {
    const double x = data[i], y = data[voxels + i], z = data[2 * voxels + i];
    const double length = std::sqrt(x * x + y * y + z * z);
    if (std::isnan(length)) continue;
    sum += length;
    most = std::max(most, length);
  }
  std::printf("  length     mean %.6g mm, max %.6g mm\n",
              sum / static_cast<double>(std::max<std::int64_t>(voxels - missing, 1)), most);
  if (missing > 0)
    std::printf(
        "  warning    %lld voxels hold NaN or more than ten times the diagonal of the grid, "
        "as marks for 'outside'\n",
        static_cast<long long>(missing));
}

void print_transform(const io::TransformFile& file) {
  const char* path = file.path.c_str();
  std::printf("%s: %s, %zu transform%s\n", path, file.format.c_str(), file.transforms.size(),
              file.transforms.size() == 1 ? "" : "s, in the order in which a point meets them");
  for (std::size_t i = 0; i < file.transforms.size(); ++i) {
    const bool affine = std::holds_alternative<Affine>(file.transforms[i]);
    std::printf("%zu: %s, %s\n", i + 1, file.names[i].c_str(),
                affine ? "affine p -> A p + t" : "displacement p -> p + d(p)");
    std::visit([](const auto& t) { describe(t); }, file.transforms[i]);
  }
  std::printf(
      "It maps points of the fixed image (the reference) to points of the moving image (the "
      "input).\n"
      "Images go the other way: ffdp apply -i moving.nii.gz -r fixed.nii.gz -t %s brings the "
      "moving\n"
      "image onto the fixed one; -t [%s,1] with the roles exchanged brings the fixed image back.\n",
      path, path);
}

void print_info(const std::string& path) {
  if (!io::is_nifti(path)) return print_transform(io::read_transform(path));
  const io::NiftiInfo info = io::read_info(path);
  print_image(info);
  const bool vectors = info.intent == io::intent_vector || info.intent == io::intent_displacement;
  if (io::is_displacement(info) && vectors) print_transform(io::read_transform(path));
}

/// Draws the images among the files.
void write_pictures(const std::vector<std::string>& paths, const std::string& png) {
  std::vector<std::string> images;
  for (const auto& path : paths)
    if (io::is_nifti(path)) images.push_back(path);
  require(!images.empty(), "info: --png shows images, none is given");
  const report::Mosaic mosaic = report::make_mosaic(images);
  io::write_file(png, mosaic.png);
  std::printf("wrote %s\n", png.c_str());
  for (std::size_t i = 0; i < images.size(); ++i)
    std::printf("  %s: %s\n", images[i].c_str(), mosaic.words[i].c_str());
}

}  // namespace

void add_info(CLI::App& app) {
  struct InfoOptions {
    Common common;
    std::vector<std::string> paths;
    std::string png;
  };
  const auto o = std::make_shared<InfoOptions>();
  CLI::App* command = app.add_subcommand("info", "Describe images and transforms");
  command->add_option("FILE", o->paths, "images or transforms")->required();
  command->add_option(
      "--png", o->png,
      "draw the middle planes of the images into this file, one row per image; for a "
      "series the first, middle and last volume");
  add_common(*command, o->common);
  command->footer(
      "Examples:\n  ffdp info fixed.nii.gz out/0GenericAffine.mat\n"
      "  ffdp info fixed.nii.gz moving.nii.gz --png both.png");
  command->callback([o] {
    Common quiet = o->common;
    quiet.quiet = true;  // warnings are part of what is printed
    start(quiet);
    for (const std::string& path : o->paths) print_info(path);
    if (!o->png.empty()) write_pictures(o->paths, o->png);
  });
}

}  // namespace ffdp::cli
