// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "bindings.hpp"

#include "ffdp/evaluation/scores.hpp"
#include "ffdp/io/nifti.hpp"
#include "ffdp/io/points_csv.hpp"
#include "ffdp/ops/jacobian/jacobian.hpp"
#include "ffdp/phantom/phantom.hpp"
#include "ffdp/transforms/warp.hpp"

namespace ffdp::python {
namespace {

using namespace nb::literals;

/// The voxels in the type that holds every value of the file, or as float32.
nb::tuple read_image(const std::string& path, bool as_float) {
  const io::NiftiInfo info = io::read_info(path);
  require(info.components() == 1 && info.volumes() == 1,
          path + ": " + std::to_string(info.volumes()) + " volumes of " +
              std::to_string(info.components()) + " components, one scalar volume is wanted");
  const io::DataType type = as_float ? io::DataType::float32 : info.value_type();
  return io::visit(type, [&](auto zero) -> nb::tuple {
    Image<decltype(zero)> image;
    {
      const nb::gil_scoped_release released;
      image = io::read_image<decltype(zero)>(path);
    }
    return nb::make_tuple(array_of(std::move(image.data)), nb::cast(image.grid));
  });
}

template <class T>
void write_image(const std::string& path, Array<T, 3> array, const Grid& grid, int compression) {
  require_shape("write_image", array, grid);
  io::WriteOptions options;
  options.type = io::data_type_of<T>();
  options.compression_level = compression;
  options.threads = cpu_context(0).threads;
  const nb::gil_scoped_release released;
  io::NiftiWriter writer(path, grid, {}, options);
  writer.write(array.data(), static_cast<std::int64_t>(array.size()));
  writer.commit();
}

template <class... T>
void bind_write(nb::module_& m) {
  (m.def("write_image", &write_image<T>, "path"_a, "array"_a.noconvert(), "grid"_a,
         "compression"_a = 1),
   ...);
}

/// Voxels of a procedural brain and its labels; see Phantom.
nb::tuple make_phantom(const phantom::Phantom& brain, const Grid& grid, int threads) {
  Context ctx = cpu_context(threads);
  const Box domain = grid.domain();
  Field<float> image(Backend::cpu, domain);
  Field<std::uint8_t> labels(Backend::cpu, domain);
  {
    const nb::gil_scoped_release released;
    phantom::make_phantom(ctx, brain, grid, domain, image, labels);
  }
  return nb::make_tuple(array_of(std::move(image)), array_of(std::move(labels)));
}

nb::object make_true_warp(const phantom::Phantom& fixed, const phantom::Phantom& moving,
                          const Grid& grid, int threads) {
  Context ctx = cpu_context(threads);
  VectorField<float> warp(Backend::cpu, grid.domain());
  {
    const nb::gil_scoped_release released;
    phantom::make_true_warp(ctx, fixed, moving, grid, grid.domain(), warp);
  }
  return array_of(std::move(warp));
}

void bind_phantom(nb::module_& m) {
  using phantom::Phantom;
  nb::class_<Phantom>(m, "Phantom")
      .def(nb::init<>())
      .def_rw("subject", &Phantom::subject)
      .def_rw("scan", &Phantom::scan)
      .def_rw("noise", &Phantom::noise)
      .def_rw("bias", &Phantom::bias)
      .def_rw("warp_mm", &Phantom::warp_mm)
      .def_rw("warp", &Phantom::warp)
      .def("set_contrast",
           [](Phantom& p, const std::string& name) { p.contrast = phantom::contrast_from(name); })
      .def("set_pose", [](Phantom& p, const Matrix& pose) { p.pose = affine_of(pose); })
      .def("fitted_to",
           [](const Phantom& p, const Grid& grid) { return phantom::fitted_to(grid, p); });
  m.def("make_phantom", &make_phantom, "phantom"_a, "grid"_a, "threads"_a = 0);
  m.def("make_true_warp", &make_true_warp, "fixed"_a, "moving"_a, "grid"_a, "threads"_a = 0);
}

nb::dict point_entry(const evaluation::PointScores& s) {
  const auto number = [](double v) { return std::isfinite(v) ? nb::cast(v) : nb::none(); };
  nb::dict d;
  d["points"] = s.count;
  d["left_out"] = s.left_out;
  d["mean_mm"] = number(s.mean);
  d["sd_mm"] = number(s.sd);
  d["median_mm"] = number(s.median);
  d["p95_mm"] = number(s.p95);
  d["max_mm"] = number(s.max);
  return d;
}

template <class T>
View<const T> view_of(const Array<T, 3>& array, const Grid& grid) {
  require_shape("evaluate", array, grid);
  return {array.data(), grid.domain(), std::int64_t{grid.size[1]} * grid.size[2], grid.size[2]};
}
using Mask = std::optional<Array<std::uint8_t, 3>>;
View<const std::uint8_t> view_of(const Mask& mask, const Grid& grid) {
  return mask ? view_of(*mask, grid) : View<const std::uint8_t>{};
}

nb::dict compare_labels(const Grid& grid, Array<std::int32_t, 3> fixed,
                        Array<std::int32_t, 3> warped) {
  Context ctx = cpu_context(0);
  evaluation::LabelScores scores;
  {
    const nb::gil_scoped_release released;
    scores = evaluation::compare_labels(ctx, grid.spacing_zyx(), view_of(fixed, grid),
                                        view_of(warped, grid));
  }
  nb::list table;
  for (const auto& s : scores.labels) {
    nb::dict row;
    row["label"] = s.label;
    row["fixed_voxels"] = s.fixed_voxels;
    row["warped_voxels"] = s.warped_voxels;
    row["dice"] = s.dice;
    row["hd90_mm"] = s.hd90;
    row["hd95_mm"] = s.hd95;
    table.append(row);
  }
  nb::dict d;
  d["common_labels"] = scores.common;
  d["mean_dice"] = scores.mean_dice;
  d["inverse_dice"] = scores.inverse_dice;
  d["pooled_dice"] = scores.pooled_dice;
  d["mean_hd90_mm"] = scores.mean_hd90;
  d["mean_hd95_mm"] = scores.mean_hd95;
  d["labels"] = table;
  return d;
}

nb::dict compare_images(const Grid& grid, Array<float, 3> fixed, Array<float, 3> warped,
                        Mask mask) {
  Context ctx = cpu_context(0);
  const auto s = evaluation::compare_images(ctx, view_of(fixed, grid), view_of(warped, grid),
                                            view_of(mask, grid));
  nb::dict d;
  d["voxels"] = s.voxels;
  d["ncc"] = s.ncc;
  d["mi"] = s.mi;
  return d;
}

VectorView<const float> vectors_of(const Array<float, 4>& array, const Grid& grid) {
  require(array.shape(0) == 3, "a displacement has 3 components");
  require_shape("displacement", array, grid);
  const std::int64_t plane = std::int64_t{grid.size[1]} * grid.size[2];
  return {array.data(), grid.domain(), plane * grid.size[0], plane, grid.size[2]};
}

/// u in voxels from a displacement in LPS mm.
VectorField<float> voxels_of(Context& ctx, const Array<float, 4>& displacement, const Grid& grid) {
  const auto from = vectors_of(displacement, grid);
  VectorField<float> field(Backend::cpu, grid.domain());
  std::copy_n(from.data, displacement.size(), field.data());
  return transforms::to_voxels(ctx, {grid, std::move(field)});
}

nb::dict fold_entry(const std::string& where, const jacobian::Statistics& s) {
  nb::dict d;
  const auto key = [&](const char* name) { return nb::str((name + where).c_str()); };
  d[key("voxels_")] = s.count;
  d[key("missing_")] = s.missing;
  d[key("folds_")] = s.folded;
  d[key("folds_percent_")] = 100 * double(s.folded) / double(s.count);
  d[key("sd_log_j_")] = s.sd_log();
  d[key("min_j_")] = s.min;
  d[key("max_j_")] = s.max;
  return d;
}

nb::dict jacobian_statistics(const Grid& grid, Array<float, 4> displacement, Mask mask,
                             const std::string& where) {
  Context ctx = cpu_context(0);
  const auto u = voxels_of(ctx, displacement, grid);
  return fold_entry(
      where,
      jacobian::statistics(ctx, grid.domain(), grid.domain(), u, view_of(mask, grid)).total());
}

nb::object jacobian_determinant(const Grid& grid, Array<float, 4> displacement) {
  Context ctx = cpu_context(0);
  Field<float> determinant(Backend::cpu, grid.domain());
  {
    const nb::gil_scoped_release released;
    const auto u = voxels_of(ctx, displacement, grid);
    jacobian::forward(ctx, grid.domain(), grid.domain(), u, determinant);
  }
  return array_of(std::move(determinant));
}

void bind_evaluation(nb::module_& m) {
  m.def("compare_labels", &compare_labels);
  m.def("compare_images", &compare_images, "grid"_a, "fixed"_a, "warped"_a, "mask"_a.none());
  m.def("compare_points", [](const std::vector<Vec3>& mapped, const std::vector<Vec3>& wanted) {
    return point_entry(evaluation::compare_points(mapped, wanted));
  });
  m.def(
      "compare_warps",
      [](const Grid& grid, Array<float, 4> warp, Array<float, 4> truth, Mask mask) {
        return point_entry(evaluation::compare_warps(vectors_of(warp, grid),
                                                     vectors_of(truth, grid), view_of(mask, grid)));
      },
      "grid"_a, "warp"_a, "truth"_a, "mask"_a.none());
  m.def("jacobian_statistics", &jacobian_statistics, "grid"_a, "displacement"_a, "mask"_a.none(),
        "where"_a);
  m.def("jacobian_determinant", &jacobian_determinant);
  m.def(
      "read_points",
      [](const std::string& path) {
        const io::PointsTable table = io::read_points(path);
        const auto column = std::ranges::find(table.columns, "label") - table.columns.begin();
        std::vector<std::string> labels;
        if (column < std::ssize(table.columns))
          for (const auto& row : table.cells) labels.push_back(row[column]);
        return std::pair(table.points, labels);
      },
      "Points (LPS mm) and, where there is such a column, their labels.");
}

}  // namespace

void bind_images(nb::module_& m) {
  nb::class_<Grid>(m, "Grid", "Where voxels lie, as in ITK: LPS mm; size is z, y, x.")
      .def(
          "__init__",
          [](Grid* grid, Int3 size, Vec3 spacing, Vec3 origin, Mat3 direction) {
            new (grid) Grid{size, spacing, origin, direction};
          },
          "size"_a, "spacing"_a, "origin"_a, "direction"_a)
      .def_ro("size", &Grid::size, "Voxels along z, y, x.")
      .def_ro("spacing", &Grid::spacing, "[mm], x, y, z.")
      .def_ro("origin", &Grid::origin, "Centre of voxel 0 [mm], LPS.")
      .def_ro("direction", &Grid::direction, "Columns: directions of the index axes x, y, z.")
      .def("same_space", [](const Grid& a, const Grid& b) { return ffdp::same_space(a, b, 1e-2); })
      .def("__eq__", [](const Grid& a, const Grid& b) { return a == b; })
      .def("__repr__", [](const Grid& g) { return "Grid(" + size_in_words(g.size) + ")"; });
  m.def("read_image", &read_image, "path"_a, "as_float"_a);
  bind_write<float, double, std::uint8_t, std::int8_t, std::uint16_t, std::int16_t, std::uint32_t,
             std::int32_t, std::uint64_t, std::int64_t>(m);
  bind_phantom(m);
  bind_evaluation(m);
}

}  // namespace ffdp::python
