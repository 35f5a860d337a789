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
#include "ffdp/ops/intensity/intensity.hpp"

namespace ffdp::cli {

struct BenchOptions {
  Common common;
  std::string what = "all", device = "auto", append, commit = "unknown", machine;
  std::vector<std::string> sizes{"160x192x224", "512x512x512", "1024x1024x1024"};
  int repeats = 11;
};

/// The first line of a file of rows.
inline constexpr const char* bench_header =
    "date,commit,machine,backend,ranks,case,size,seconds_median,repeats,voxels_per_s,"
    "bytes_per_voxel_min,fraction_of_peak_bw,peak_bytes";

/// One size on one backend: makes the inputs, times, prints rows and appends them to a file.
class Bench {
 public:
  Bench(Context& context, const BenchOptions& options, const Box& whole, std::string size);

  Context& ctx;
  const Box box;

  /// Images repeat every few planes, so that large ones are made as fast as they are copied.
  Field<float> image(std::uint32_t seed) const;
  /// A smooth warp of up to `amplitude` voxels.
  VectorField<float> warp(float amplitude) const;
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

  /// Times `body`, of which the contract says how many bytes it moves.
  void row(const std::string& name, double bytes_per_voxel, const std::function<void()>& body);
  void add_row(const std::string& name, double bytes_per_voxel, std::vector<double> times);
  /// Runs a group of rows; says so where it does not fit.
  void group(const char* name, const std::function<void(Bench&)>& body);

 private:
  class PeakMemory;

  void copy_row();
  void fill(float* to, const std::function<float(int z, int y, int x)>& value) const;

  const BenchOptions& options_;
  std::string size_;
  std::shared_ptr<PeakMemory> memory_;  // of a type that only the .cpp knows
  double copy_bandwidth_ = 0;
};

}  // namespace ffdp::cli
