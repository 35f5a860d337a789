// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <functional>
#include <memory>

#include "bindings.hpp"
#include "cli/common.hpp"
#include "cli/plan.hpp"
#include "cli/recipe.hpp"
#include "cli/record.hpp"
#include "cli/register_options.hpp"
#include "cli/register_output.hpp"
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "ffdp/core/device.hpp"
#include "ffdp/ops/sampler/sampler.hpp"
#include "ffdp/registration/register.hpp"
#include "ffdp/transforms/warp.hpp"

namespace ffdp::python {
namespace {

using namespace nb::literals;

/// Options that say what the program reads and writes, and how it runs.
const std::vector<std::string> of_program = {
    "--fixed",         "--moving",       "--output",
    "--write",         "--fixed-mask",   "--moving-mask",
    "--moving-labels", "--print-config", "--initial-transform",
    "--verbose",       "--compression",  "--ranks",
    "--quiet"};

/// The options of `ffdp register`, read by the program's own parser.
struct Options {
  cli::RegisterOptions o;
  registration::Config config;

  explicit Options(const std::vector<std::string>& words) {
    CLI::App command;
    cli::add_register_options(command, o);
    for (const auto& word : words) {
      require(!std::ranges::count(of_program, word),
              "register: option " + word + " is the program's alone");
      require(!word.starts_with("--") || command.get_option_no_throw(word) != nullptr,
              "register: option " + word + " is unknown; ffdp register --help lists them");
    }
    std::vector<std::string> reversed(words.rbegin(), words.rend());
    try {
      command.parse(reversed);
    } catch (const CLI::ParseError& error) {
      throw InvalidArgument(std::string("register: ") + error.what());
    }
    config = cli::make_config(o, command);
  }
};

/// What a registration found, and the context it lives in.
struct Registered {
  registration::Config config;
  registration::Result result;
  Context ctx;
  std::unique_ptr<Stream> stream;

  nb::object displacement(bool inverse) {
    const auto& field = inverse ? result.inverse : result.displacement;
    if (field.empty()) return nb::none();
    return array_of(copy_to(ctx, field.backend(), field), device());
  }
  /// [3,z,y,x] in the host's memory, LPS mm.
  nb::object warp(bool inverse) {
    const auto& field = inverse ? result.inverse : result.displacement;
    if (field.empty()) return nb::none();
    Context host = cpu_context(0);
    auto world = transforms::to_world(host, result.fixed_grid, copy_to(ctx, Backend::cpu, field));
    return array_of(std::move(world.data));
  }
  int device() const { return ctx.backend == Backend::cuda ? device_info().index : 0; }

  /// The moving image on the fixed grid, 0 outside.
  nb::object warped(const FloatImage& array, const Grid& grid) {
    Image<float> moving = image_of<float>("warped", array, grid);
    Field<float> out(ctx.backend, result.fixed_grid.domain());
    {
      const nb::gil_scoped_release released;
      if (moving.data.backend() != ctx.backend)
        moving.data = copy_to(ctx, ctx.backend, moving.data);
      sampler::Params p;
      p.map = grid.to_index() * result.affine * result.fixed_grid.to_world();
      p.displacement_map = p.map.linear;
      p.moving_domain = grid.domain();
      p.outside = 0;
      const Box domain = result.fixed_grid.domain();
      const VectorView<const float> u = result.displacement.empty()
                                            ? VectorView<const float>{}
                                            : std::as_const(result.displacement).view();
      sampler::forward_uncounted(ctx, p, domain, domain, moving.data, u, {}, out);
      synchronize(ctx);
    }
    return array_of(std::move(out), device());
  }

  /// The files of the program.
  std::vector<std::string> save(const std::string& prefix, const FloatImage& fixed,
                                const FloatImage& moving, const Grid& moving_grid,
                                int compression) {
    cli::OutputOptions options;
    options.prefix = prefix;
    options.compression = compression;
    cli::Originals originals;
    const auto on_host = [&](const FloatImage& array, const Grid& grid) {
      Image<float> image = image_of<float>("save", array, grid);
      if (image.data.backend() == Backend::cuda)
        image.data = copy_to(ctx, Backend::cpu, image.data);
      return image;
    };
    originals.fixed = on_host(fixed, result.fixed_grid);
    originals.moving = on_host(moving, moving_grid);
    originals.moving_grid = moving_grid;
    const nb::gil_scoped_release released;
    cli::prepare_output(prefix);
    dist::SoloComm comm;
    return cli::write_result(ctx, comm, options, std::move(originals), result);
  }

  std::string record() const {
    nlohmann::json j;
    j["program"] = std::string("ffdp ") + FFDP_VERSION;
    j["config"] = cli::to_json(config);
    j["device"] = ctx.backend == Backend::cuda ? device_info().name : "cpu";
    j["threads"] = ctx.threads;
    j["levels"] = nlohmann::json::array();
    cli::add_result(j, result);
    return j.dump(1);
  }
};

std::optional<Image<std::uint8_t>> mask_of(const char* name, const nb::object& mask) {
  if (mask.is_none()) return std::nullopt;
  const auto [array, grid] =
      nb::cast<std::pair<nb::ndarray<const std::uint8_t, nb::ndim<3>, nb::c_contig>, Grid>>(mask);
  return image_of<std::uint8_t>(name, array, grid);
}

/// Progress goes to `callback`; Ctrl-C ends the run, whether there is one or not.
registration::ProgressSink sink_of(const nb::object& callback) {
  return [&callback](const registration::Progress& p) {
    const nb::gil_scoped_acquire held;
    if (PyErr_CheckSignals() != 0) throw nb::python_error();
    if (callback.is_none()) return;
    callback(p.stage, p.level, p.levels, p.iteration, p.iterations, p.cost);
  };
}

void take(std::vector<Image<float>>& to, std::vector<std::string>& names, const nb::list& images) {
  for (nb::handle item : images) {
    const auto image = nb::cast<nb::tuple>(item);
    const auto array = nb::cast<FloatImage>(image[0]);
    names.push_back(nb::cast<std::string>(image[2]));
    to.push_back(image_of<float>(names.back().c_str(), array, nb::cast<Grid>(image[1])));
  }
}

/// @param fixed     list of (float32 array, grid, name); moving: as many
/// @param start     matrix, fixed to moving, LPS mm, or none
/// @param callback  called with (stage, level, levels, iteration, iterations, cost), or none
std::unique_ptr<Registered> register_images(const std::vector<std::string>& words,
                                            const nb::list& fixed, const nb::list& moving,
                                            const nb::object& fixed_mask,
                                            const nb::object& moving_mask,
                                            const std::optional<Matrix>& start,
                                            const nb::object& callback) {
  const Options options(words);
  auto made = std::make_unique<Registered>();
  made->config = options.config;
  made->ctx = cpu_context(options.o.common.threads);
  const cli::DeviceStart device(options.o.device);
  registration::Inputs inputs;
  take(inputs.fixed, inputs.fixed_names, fixed);
  take(inputs.moving, inputs.moving_names, moving);
  inputs.fixed_mask = mask_of("fixed mask", fixed_mask);
  inputs.moving_mask = mask_of("moving mask", moving_mask);
  if (start) inputs.start = affine_of(*start);
  inputs.caller = cli::output_memory(options.o.output);
  const nb::gil_scoped_release released;
  made->ctx.backend = device.wait();
  made->stream = std::make_unique<Stream>(made->ctx.backend);
  made->ctx.stream = made->stream->get();
  dist::SoloComm comm;
  made->result = registration::register_images(made->ctx, comm, options.config, std::move(inputs),
                                               sink_of(callback));
  made->ctx.release_scratch();
  synchronize(made->ctx);
  return made;
}

}  // namespace

void bind_registration(nb::module_& m) {
  nb::class_<Registered>(m, "Registered")
      .def_prop_ro("affine", [](const Registered& r) { return matrix_of(r.result.affine); })
      .def_prop_ro("grid", [](const Registered& r) { return r.result.fixed_grid; })
      .def("displacement", &Registered::displacement, "inverse"_a)
      .def("warp", &Registered::warp, "inverse"_a)
      .def("warped", &Registered::warped, "moving"_a, "grid"_a)
      .def("save", &Registered::save, "prefix"_a, "fixed"_a, "moving"_a, "moving_grid"_a,
           "compression"_a)
      .def("record", &Registered::record);
  m.def("register_images", &register_images, "options"_a, "fixed"_a, "moving"_a,
        "fixed_mask"_a.none(), "moving_mask"_a.none(), "start"_a.none(), "callback"_a.none());
  m.def("default_options", [](const std::vector<std::string>& words) {
    return cli::to_json(Options(words).config).dump(1);
  });
}

}  // namespace ffdp::python
