// SPDX-License-Identifier: Apache-2.0
#include "cli/common.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>

#include "cli/ranks.hpp"
#include <sched.h>

#include "ffdp/core/device.hpp"
#include "ffdp/core/error.hpp"
#include "ffdp/core/log.hpp"

namespace ffdp::cli {
namespace {

int usable_processors() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(CPU_COUNT(&set), 1);
  return static_cast<int>(std::max(std::thread::hardware_concurrency(), 1U));
}

}  // namespace

void add_common(CLI::App& command, Common& common) {
  command.add_option("--threads", common.threads, "threads; 0 for all processors")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  command.add_flag("-q,--quiet", common.quiet, "print errors only");
}

void add_device(CLI::App& command, std::string& device) {
  command.add_option("--device", device, "auto, cpu, cuda or cuda:N; auto takes a GPU it can use")
      ->capture_default_str();
}

DeviceStart::DeviceStart(const std::string& device) {
  if (device.starts_with("cuda:")) {
    const char* end = device.data() + device.size();
    const auto [rest, error] = std::from_chars(device.data() + 5, end, index_);
    require(error == std::errc() && rest == end && index_ >= 0,
            "--device: got '" + device + "', cuda:N with a number N is wanted");
  } else {
    require(device == "auto" || device == "cpu" || device == "cuda",
            "--device: got '" + device + "', auto, cpu, cuda or cuda:N is wanted");
  }
  const bool automatic = device == "auto", on_cpu = device == "cpu";
  ready_ = std::async(std::launch::async, [=, index = index_] {
    if (on_cpu) return Backend::cpu;
    const std::string problem = device_problem(index);
    if (!problem.empty() && automatic) return Backend::cpu;
    if (!problem.empty())
      throw InvalidArgument("--device " + device + ": " + problem + "; --device cpu is there");
    select_device(index);
    return Backend::cuda;
  });
}

Backend DeviceStart::wait() const {
  const Backend backend = ready_.get();
  if (backend == Backend::cuda) select_device(index_);
  return backend;
}

int default_threads() {
  for (const char* name : {"ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "OMP_NUM_THREADS"}) {
    const char* text = std::getenv(name);
    if (text == nullptr) continue;
    int threads = 0;
    const auto [rest, error] = std::from_chars(text, text + std::strlen(text), threads);
    // OpenMP takes a list, one number a nested level.
    if (error == std::errc() && (*rest == 0 || *rest == ',') && threads >= 1 && threads <= 4096)
      return threads;
  }
  return usable_processors();
}

Context start(const Common& common) {
  set_log_sink(common.quiet ? LogSink() : [](Level level, std::string_view message) {
    if (level == Level::warning && speaks())
      std::fprintf(stderr, "ffdp: warning: %.*s\n", static_cast<int>(message.size()),
                   message.data());
  });
  Context ctx;
  ctx.threads = common.threads > 0 ? common.threads : default_threads();
  return ctx;
}

std::optional<double> parse_outside(const std::string& text) {
  if (text == "min") return std::nullopt;
  double value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  require(error == std::errc() && rest == text.data() + text.size(),
          "--default-value: got '" + text + "', a number or min is wanted");
  return value;
}

std::string left_out(std::int64_t count) {
  return count > 0 ? ", " + std::to_string(count) + " left out" : "";
}

void add_compression(CLI::App& command, int& level) {
  command.add_option("--compression", level, "of .gz output: 1 is fast, 12 is small")
      ->check(CLI::Range(1, 12))
      ->capture_default_str();
}

}  // namespace ffdp::cli
