// SPDX-License-Identifier: Apache-2.0
// antsRegistration
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>

#include "cli/ants/images.hpp"
#include "cli/ants/initial.hpp"
#include "cli/ants/interpolator.hpp"
#include "cli/ants/parts.hpp"
#include "cli/ants/programs.hpp"
#include "cli/ants/registration_line.hpp"
#include "cli/ants/registration_output.hpp"
#include "cli/ants/stage_config.hpp"
#include "cli/ants/state.hpp"
#include "cli/progress.hpp"
#include "cli/register_output.hpp"

#include "ffdp/core/copy.hpp"
#include "ffdp/core/device.hpp"
#include "ffdp/core/error.hpp"
#include "ffdp/io/atomic_file.hpp"
#include "ffdp/io/nifti.hpp"
#include "ffdp/transforms/warp.hpp"

namespace ffdp::cli::ants {
namespace {

constexpr const char* registration_help =
    R"(antsRegistration: registers a moving image to a fixed one
  -d, --dimensionality 2/3
  -o, --output PREFIX or [PREFIX,WARPED,INVERSE_WARPED]
  -t, --transform Translation[g], Rigid[g], Similarity[g], Affine[g], CompositeAffine[g],
                  SyN[g,<update variance=3>,<total variance=0>], BSplineSyN[g,knots,...],
                  GaussianDisplacementField[g,..], BSplineDisplacementField[g,..], Exponential[g,..]
  -m, --metric CC, MI, Mattes, MeanSquares, Demons, GC[fixed,moving,weight,radius or bins,...]
  -c, --convergence [100x50x10,1e-6,10]     -f, --shrink-factors 4x2x1
  -s, --smoothing-sigmas 2x1x0vox
  -r, --initial-moving-transform FILE, [FILE,useInverse], [fixed,moving,feature 0/1/2], Identity
  -q, --initial-fixed-transform likewise
  -x, --masks [fixed,moving]                once, or once a stage
  -n, --interpolation                       of the output images
  -u, --use-histogram-matching 0/1     -w, --winsorize-image-intensities [0.005,0.995]
  -g, --restrict-deformation 1x0x1
  -z, --collapse-output-transforms 1/0     -a, --write-composite-transform 0/1
  -j, --save-state FILE.h5     -k, --restore-state FILE.h5
  --float 0/1     --random-seed N     -v, --verbose 0/1     --version     -h, --help
docs/ants.md says what each of them means here.
)";

/// Converts the warp of a stage to a displacement in mm, in host memory.
std::shared_ptr<const DisplacementImage> to_part(Context& ctx, const Grid& grid,
                                                 VectorField<float> u) {
  Context cpu;
  cpu.threads = ctx.threads;
  if (u.backend() != Backend::cpu) u = copy_to(ctx, Backend::cpu, u);
  return std::make_shared<const DisplacementImage>(transforms::to_world(cpu, grid, std::move(u)));
}

std::shared_ptr<const DisplacementImage> no_warp(const Grid& grid) {
  DisplacementImage image{grid, VectorField<float>(Backend::cpu, grid.domain())};
  std::fill(image.data.begin(), image.data.end(), 0.0F);
  return std::make_shared<const DisplacementImage>(std::move(image));
}

/// Runs one stage after the parts found so far, and adds its own.
void run_stage(Context& ctx, const RegistrationLine& line, StageLine& stage, Images& images,
               Parts& parts) {
  const auto start = affine_of(parts);
  // After a warp, the moving images are resampled by all transforms found so far.
  const auto before = start ? transforms::CompositeTransform() : chain_of(parts);
  registration::Inputs in = images.inputs(stage, before);
  const Grid grid = in.fixed[0].grid;
  Part part{is_linear(stage.kind) ? stage.name : "Warp", {}, {}, {}};
  part.has_inverse = !stage.name.ends_with("DisplacementField");
  if (!has_iterations(stage)) {
    if (!is_linear(stage.kind)) part.warp = part.inverse = no_warp(grid);
    parts.push_back(std::move(part));
    return;
  }
  in.start = start ? *start : Affine{};
  const registration::Config config = stage_config(line, stage, grid);
  dist::SoloComm solo;
  ProgressPrinter printer(line.verbose ? Verbosity::diagnostic : Verbosity::quiet);
  registration::Result result =
      registration::register_images(ctx, solo, config, std::move(in), printer.sink());
  if (is_linear(stage.kind)) {
    part.affine = start ? inverse(*start) * result.affine : result.affine;
  } else {
    part.warp = to_part(ctx, grid, std::move(result.displacement));
    part.inverse = to_part(ctx, grid, std::move(result.inverse));
  }
  parts.push_back(std::move(part));
}

int run(RegistrationLine line) {
  note_stages(line);
  const char* wish = std::getenv("FFDP_DEVICE");
  const DeviceStart device(wish != nullptr ? wish : "auto");
  Context cpu = start_cpu();
  prepare_output(line.prefix);
  for (const auto& path : {line.warped, line.inverse_warped, line.save_state})
    if (!path.empty()) io::check_writable(path);
  Parts parts = line.restore_state.empty() ? read_initial(cpu, "-r", line.initial_moving)
                                           : read_state(cpu, line.restore_state);
  const Parts fixed = read_initial(cpu, "-q", line.initial_fixed);
  Images images(cpu, line.dimension,
                fixed.empty() ? transforms::CompositeTransform() : chain_of(fixed));
  for (const StageLine& stage : line.stages)
    for (const MetricLine& metric : stage.metrics)
      for (const auto& path : {metric.fixed, metric.moving})
        io::require_scalar(io::read_info(path));
  const Interpolator checked(line.interpolation);
  Context ctx;
  ctx.threads = cpu.threads;
  ctx.backend = device.wait();
  const Stream stream(ctx.backend);
  ctx.stream = stream.get();
  for (std::size_t i = 0; i < line.stages.size(); ++i) {
    if (line.verbose)
      std::printf("Stage %zu of %zu: %s\n", i + 1, line.stages.size(), line.stages[i].name.c_str());
    run_stage(ctx, line, line.stages[i], images, parts);
  }
  ctx.release_scratch();
  write_registration(cpu, line, images, std::move(parts));
  if (line.verbose) std::printf("Output prefix: %s\n", line.prefix.c_str());
  return 0;
}

}  // namespace

int registration(std::span<const std::string> words) {
  if (const auto code = answered(words, registration_help)) return *code;
  return run(parse_registration(words));
}

}  // namespace ffdp::cli::ants
