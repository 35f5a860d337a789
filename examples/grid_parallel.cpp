// SPDX-License-Identifier: Apache-2.0
// Grid Parallel in a page: a field is cut among ranks, a stencil and its adjoint run on the parts
// with halos, and both give the bits of the whole.
//
//   ./grid_parallel 3              three ranks, threads of this process
//   mpirun -n 3 ./grid_parallel    three processes (a library built with -DFFDP_MPI=ON)
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <string>
#include <utility>

#include "ffdp/core/noise.hpp"
#include "ffdp/dist/fetch.hpp"
#include "ffdp/dist/mpi.hpp"
#include "ffdp/dist/ordered_sum.hpp"
#include "ffdp/dist/threads.hpp"

namespace {

using namespace ffdp;

const Box domain = box_of({37, 24, 20});
constexpr int radius = 2;

/// Weights of 2 radius + 1 planes: not symmetric, so that the adjoint is another operator.
float weight(int k) { return 0.1F * static_cast<float>(k + 3); }

/// out(z) = sum over k of weight(k) in(z + k), as far as z + k lies in the domain.
void convolve(const Box& compute, View<const float> in, View<float> out) {
  for (int z = compute.lo[0]; z < compute.hi[0]; ++z)
    for (int y = compute.lo[1]; y < compute.hi[1]; ++y)
      for (int x = compute.lo[2]; x < compute.hi[2]; ++x) {
        float sum = 0;
        for (int k = -radius; k <= radius; ++k)
          if (z + k >= domain.lo[0] && z + k < domain.hi[0]) sum += weight(k) * in(z + k, y, x);
        out(z, y, x) = sum;
      }
}

/// The adjoint scatters: in(z + k) += weight(k) out(z), also into planes of other ranks.
void convolve_adjoint(const Box& compute, View<const float> out, View<float> in) {
  for (int z = compute.lo[0]; z < compute.hi[0]; ++z)
    for (int y = compute.lo[1]; y < compute.hi[1]; ++y)
      for (int x = compute.lo[2]; x < compute.hi[2]; ++x)
        for (int k = -radius; k <= radius; ++k)
          if (z + k >= domain.lo[0] && z + k < domain.hi[0])
            in(z + k, y, x) += weight(k) * out(z, y, x);
}

/// A field over `box` whose voxels are formulas of their global index: every rank makes its own.
Field<float> random_field(const Box& box, std::uint32_t seed) {
  Field<float> field(Backend::cpu, box);
  const View<float> view = field.view();
  for (int z = box.lo[0]; z < box.hi[0]; ++z)
    for (int y = box.lo[1]; y < box.hi[1]; ++y)
      for (int x = box.lo[2]; x < box.hi[2]; ++x) view(z, y, x) = noise(z, y, x, seed);
  return field;
}

/// <a, b>, plane by plane: the same bits on any number of ranks.
double dot(dist::Comm& comm, const dist::Cut& cut, const Field<float>& a, const Field<float>& b) {
  const Box own = cut.own(comm);
  PlaneSums<double> sums;
  for (int z = own.lo[0]; z < own.hi[0]; ++z) {
    double sum = 0;
    for (int y = own.lo[1]; y < own.hi[1]; ++y)
      for (int x = own.lo[2]; x < own.hi[2]; ++x)
        sum += double{a.view()(z, y, x)} * double{b.view()(z, y, x)};
    sums.of_planes.push_back(sum);
  }
  return dist::ordered_sum(comm, cut, sums);
}

/// <A x, y> and <x, A* y>; the second adds the parts of a plane in another order on other ranks.
std::pair<double, double> products(dist::Comm& comm) {
  Context ctx;
  const dist::Cut cut(comm, domain);
  const Box own = cut.own(comm), around = intersect(grow(own, Int3{radius, 0, 0}), domain);
  const Field<float> x = random_field(own, 1), y = random_field(own, 2);

  // Forward: fetch the halo, and compute what this rank owns.
  Field<float> wide(Backend::cpu, around), ax(Backend::cpu, own);
  const dist::Fetch halo(comm, cut, around);
  halo(ctx, x.view(), wide.view());
  convolve(own, std::as_const(wide).view(), ax.view());

  // Adjoint: scatter into the wide field, and give the halo back to its owners, who add it.
  Field<float> aty(Backend::cpu, own), scattered(Backend::cpu, around);
  for (float& value : scattered) value = 0;
  for (float& value : aty) value = 0;
  convolve_adjoint(own, y.view(), scattered.view());
  halo.adjoint(ctx, std::as_const(scattered).view(), aty.view());
  return {dot(comm, cut, ax, y), dot(comm, cut, x, aty)};
}

bool passed = true;

void check(dist::Comm& comm) {
  const auto [forward, adjoint] = products(comm);
  dist::SoloComm solo;
  const auto [whole, whole_adjoint] = products(solo);
  if (comm.rank() != 0) return;
  std::printf("%d ranks (%s): <A x, y> = %.17g, <x, A* y> = %.17g; one rank: %.17g, %.17g\n",
              comm.size(), comm.backend().c_str(), forward, adjoint, whole, whole_adjoint);
  passed = forward == whole && std::abs(adjoint - whole_adjoint) < 1e-6 * std::abs(whole) &&
           std::abs(forward - adjoint) < 1e-6 * std::abs(forward);
  if (!passed) std::printf("they differ\n");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const auto report = [](const std::string& error) {
      std::fprintf(stderr, "%s\n", error.c_str());
    };
    if (dist::started_by_mpi())
      dist::run_mpi(20, check, report);
    else
      dist::run_threads(argc > 1 ? std::atoi(argv[1]) : 3, check);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return passed ? 0 : 1;
}
