// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "cli/common.hpp"

#include "ffdp/core/copy.hpp"
#include "ffdp/core/field.hpp"
#include "ffdp/dist/fetch.hpp"
#include "ffdp/ops/intensity/intensity.hpp"

namespace ffdp::cli {

struct BenchOptions {
  Common common;
  std::string what = "all", device = "auto", append, commit = "unknown", machine;
  std::string transport = "auto", timeline;
  std::vector<std::string> sizes{"160x192x224", "512x512x512", "1024x1024x1024"};
  int repeats = 11, ranks = 1, gpus = 0;
  /// Called with the result of a case over the voxels that this rank owns; may be empty.
  std::function<void(const std::string& name, const dist::Strided& made, const Box& own)> seen;
};

/// The rims of a field: filled like the rest of the field, or NaN until they are fetched.
enum class Rims { made, fetched };

/// The header line of a file of rows.
inline constexpr const char* bench_header =
    "date,commit,machine,backend,ranks,case,size,seconds_median,repeats,voxels_per_s,"
    "bytes_per_voxel_min,fraction_of_peak_bw,peak_bytes,bytes_sent";

/// Benchmarks of one size on one backend: makes the inputs, measures times, prints rows and appends
/// them to a file. All ranks make the same calls; each has its part of every field, and rank 0
/// writes.
class Bench {
 public:
  Bench(Context& context, dist::Comm& ranks, const BenchOptions& options, const Box& whole,
        std::string size);

  Context& ctx;
  dist::Comm& comm;
  const Box domain;
  const dist::Cut cut;
  const Box box;  ///< what this rank owns

  /// `box` and `rim` more planes on each side, within the domain.
  Box around(int rim) const { return intersect(grow(box, Int3{rim, 0, 0}), domain); }
  /// The transfer that fetches the rims of a field stored over around(rim) from the ranks that own
  /// them. A case runs it before each use of a field that changes in every iteration. Collective.
  dist::Fetch rims(int rim) const { return {comm, cut, around(rim)}; }

  /// An image over around(rim). It repeats every few planes, so that making a large one is as fast
  /// as copying it.
  Field<float> image(std::uint32_t seed, int rim = 0, Rims rims = Rims::made) const;
  /// A smooth warp of up to `amplitude` voxels.
  VectorField<float> warp(float amplitude, int rim = 0, Rims rims = Rims::made) const;
  template <class T>
  Field<T> stored_image(std::uint32_t seed) const {
    if constexpr (std::is_same_v<T, float>) {
      return image(seed);
    } else {
      const Field<float> whole = image(seed);
      Field<T> stored(ctx.backend, box);
      intensity::store(ctx, box, whole, stored);
      synchronize(ctx);
      return stored;
    }
  }
  int repeats() const { return options_.repeats; }
  Field<float> room() const { return Field<float>(ctx.backend, box); }
  VectorField<float> vector_room() const { return VectorField<float>(ctx.backend, box); }

  /// Measures the time of `body` on the slowest rank.
  /// @param bytes_per_voxel  that `body` must move, by the contract of the op
  void row(const std::string& name, double bytes_per_voxel, const std::function<void()>& body);
  /// Passes the result of a case to BenchOptions::seen.
  void show(const std::string& name, const dist::Strided& made) const {
    if (options_.seen) options_.seen(name, made, box);
  }
  /// Adds the work of `body` to --timeline, if that was given. Collective.
  void trace(const std::string& name, const std::function<void()>& body);
  /// The events of all traces in the format of chrome://tracing; on rank 0.
  const std::string& traced() const { return traced_; }
  /// Runs a group of rows. If it does not fit into memory, prints that.
  void group(const char* name, const std::function<void(Bench&)>& body);

 private:
  class PeakMemory;

  void add_row(const std::string& name, double bytes_per_voxel, std::vector<double> times,
               std::int64_t sent);
  void copy_row();
  void fill(float* to, const Box& stored, Rims rims,
            const std::function<float(int z, int y, int x)>& value) const;

  const BenchOptions& options_;
  std::string size_;
  std::shared_ptr<PeakMemory> memory_;  // its type is defined in the .cpp
  double copy_bandwidth_ = 0;
  std::string traced_;
};

/// Runs the benchmarks that the options name, as one rank of `comm`. Collective.
void run_bench(Context& ctx, dist::Comm& comm, const BenchOptions& options);

}  // namespace ffdp::cli
