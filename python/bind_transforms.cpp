// SPDX-License-Identifier: Apache-2.0
#include "bindings.hpp"
#include "cli/chain_files.hpp"

#include "ffdp/io/transform_file.hpp"
#include "ffdp/transforms/apply.hpp"
#include "ffdp/transforms/invert.hpp"

namespace ffdp::python {
namespace {

using namespace nb::literals;
using cli::Chain;
using DisplacementPointer = std::shared_ptr<const DisplacementImage>;

constexpr double inverse_tolerance = 0.01;  // [voxels], as the program's

/// A chain with the steps of a transform.
Chain chain_of(const transforms::CompositeTransform& transform, int dimension) {
  Chain chain;
  chain.transforms::CompositeTransform::append(transform);
  chain.dimension = dimension;
  return chain;
}

void append(Chain& chain, const Chain& other) {
  const bool flat = chain.is_identity() || chain.dimension == 2;
  chain.append(static_cast<const transforms::CompositeTransform&>(other));
  chain.dimension = flat && other.dimension == 2 ? 2 : 3;
}

Chain inverse_of(const Chain& chain) {
  Context ctx = cpu_context(0);
  const nb::gil_scoped_release released;
  const auto inverse =
      transforms::inverse(ctx, chain, [](Context& own, const DisplacementImage& d) {
        return transforms::invert_displacement(own, inverse_tolerance, d).image;
      });
  return chain_of(inverse, chain.dimension);
}

/// Files of -t, each FILE or [FILE,1]. The first one is applied to a point first.
Chain read_transforms(const std::vector<std::string>& files) {
  Context ctx = cpu_context(0);
  const nb::gil_scoped_release released;
  return cli::read_chain(ctx, files);
}

Chain displacement_transform(Array<float, 4> array, const Grid& grid) {
  require(array.shape(0) == 3, "a displacement has 3 components");
  require_shape("displacement", array, grid);
  DisplacementImage image{grid, VectorField<float>(Backend::cpu, grid.domain())};
  std::copy_n(array.data(), array.size(), image.data.data());
  Chain chain;
  chain.append(std::make_shared<const DisplacementImage>(std::move(image)));
  return chain;
}

/// Steps in the order in which they are applied to a point: a matrix (LPS mm), or (array, grid).
nb::list steps_of(const Chain& chain) {
  nb::list steps;
  for (const auto& step : chain.steps()) {
    if (const Affine* affine = std::get_if<Affine>(&step)) {
      steps.append(nb::cast(matrix_of(*affine)));
      continue;
    }
    const auto& d = *std::get<DisplacementPointer>(step);
    VectorField<float> copy(Backend::cpu, d.grid.domain());
    std::copy(d.data.begin(), d.data.end(), copy.begin());
    steps.append(nb::make_tuple(array_of(std::move(copy)), nb::cast(d.grid)));
  }
  return steps;
}

std::vector<Vec3> map_points(const Chain& chain, std::vector<Vec3> points) {
  Context ctx = cpu_context(0);
  const nb::gil_scoped_release released;
  chain.map(ctx, points);
  return points;
}

Chain composed(const Chain& chain, const Grid& grid) {
  Context ctx = cpu_context(0);
  const nb::gil_scoped_release released;
  Chain one;
  one.append(std::make_shared<const DisplacementImage>(transforms::compose(ctx, grid, chain)));
  return one;
}

transforms::Interpolation interpolation_of(const std::string& name) {
  using transforms::Interpolation;
  const std::pair<const char*, Interpolation> names[] = {{"linear", Interpolation::linear},
                                                         {"nearest", Interpolation::nearest},
                                                         {"label", Interpolation::label},
                                                         {"bspline", Interpolation::bspline},
                                                         {"sinc", Interpolation::sinc}};
  for (const auto& [word, value] : names)
    if (name == word) return value;
  throw InvalidArgument("apply: interpolation is \"" + name +
                        "\", must be linear, nearest, label, bspline or sinc");
}

/// Resamples; labels keep their type, other images become float32 (float64 stays).
template <class T>
nb::object apply(const Chain& chain, nb::ndarray<const T, nb::ndim<3>, nb::c_contig> array,
                 const Grid& moving_grid, const Grid& fixed_grid, const std::string& interpolation,
                 double fill, int threads) {
  Context ctx = cpu_context(threads);
  const transforms::ApplyParams params{interpolation_of(interpolation), fill};
  const bool labels = interpolation == "label" || interpolation == "nearest";
  const Image<T> moving = image_of<T>("apply", array, moving_grid);
  const Box domain = fixed_grid.domain();
  const auto fill_field = [&]<class Out, class In>(Field<Out>& field, auto&& run) {
    const nb::gil_scoped_release released;
    Out* to = field.data();
    run([&](std::span<const In> values) {
      for (In value : values) *to++ = static_cast<Out>(value);
    });
  };
  if (labels) {
    Field<T> out(Backend::cpu, domain);
    fill_field.template operator()<T, T>(out, [&](const auto& consume) {
      transforms::apply_label<T>(ctx, params, fixed_grid, chain, moving, consume);
    });
    return array_of(std::move(out));
  }
  using Out = std::conditional_t<std::is_same_v<T, double>, double, float>;
  Field<Out> out(Backend::cpu, domain);
  fill_field.template operator()<Out, double>(out, [&](const auto& consume) {
    transforms::apply<T>(ctx, params, fixed_grid, chain, moving, consume);
  });
  return array_of(std::move(out));
}

template <class... T>
void bind_apply(nb::class_<Chain>& c) {
  (c.def("apply", &apply<T>, "array"_a.noconvert(), "moving_grid"_a, "fixed_grid"_a,
         "interpolation"_a, "fill"_a, "threads"_a),
   ...);
}

}  // namespace

void bind_transforms(nb::module_& m) {
  nb::class_<Chain> c(m, "Chain");
  c.def(nb::init<>())
      .def("append", &append)
      .def("append_affine", [](Chain& a, const Matrix& m4) { a.append(affine_of(m4)); })
      .def("steps", &steps_of)
      .def("inverse", &inverse_of)
      .def("map", &map_points)
      .def("composed", &composed)
      .def(
          "save",
          [](const Chain& chain, const std::string& path, const std::optional<Grid>& grid,
             int compression) {
            Context ctx = cpu_context(0);
            const nb::gil_scoped_release released;
            cli::write_chain(ctx, path, chain, grid ? &*grid : nullptr, compression);
          },
          "path"_a, "grid"_a.none(), "compression"_a = 1);
  bind_apply<float, double, std::uint8_t, std::int8_t, std::uint16_t, std::int16_t, std::uint32_t,
             std::int32_t, std::uint64_t, std::int64_t>(c);
  m.def("read_transforms", &read_transforms);
  m.def(
      "read_warp",
      [](const std::string& path) {
        Chain chain;
        Context ctx;
        chain.append(std::make_shared<const DisplacementImage>(cli::read_warp(ctx, path)));
        return chain;
      },
      "A warp to be judged: NaN where it holds no displacement.");
  m.def("displacement_transform", &displacement_transform);
}

}  // namespace ffdp::python
