// SPDX-License-Identifier: Apache-2.0
#include "cli/checkpoint.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "cli/interrupt.hpp"
#include <fcntl.h>
#include <unistd.h>

#include "ffdp/core/copy.hpp"
#include "ffdp/core/error.hpp"
#include "ffdp/dist/cut.hpp"
#include "ffdp/io/atomic_file.hpp"
#include "ffdp/io/byte_source.hpp"
#include "ffdp/io/text.hpp"

namespace ffdp::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using registration::LevelTrace;
using registration::LinearTrace;
using registration::OwnPlanes;
using registration::Standing;

const char* const state_name = "checkpoint.json";

/// "90", "90s", "5min" or "2h" in seconds.
double seconds_of(const std::string& text) {
  std::size_t used = 0;
  double value = -1;
  try {
    value = std::stod(text, &used);
  } catch (const std::exception&) {
    used = 0;
  }
  const std::string unit = text.substr(used);
  const double factor = unit.empty() || unit == "s" ? 1
                        : unit == "min"             ? 60
                        : unit == "h"               ? 3600
                                                    : 0;
  require(used > 0 && factor > 0 && value >= 0 && std::isfinite(value),
          "--every " + text + ": a time as 30s, 5min or 2h is wanted");
  return value * factor;
}

/// An open file.
class Descriptor {
 public:
  Descriptor(std::string path, int flags) : path_(std::move(path)) {
    descriptor_ = ::open(path_.c_str(), flags | O_CLOEXEC, 0666);
    if (descriptor_ < 0) fail("open");
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor(Descriptor&&) = delete;
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() { ::close(descriptor_); }

  void write(const void* data, std::int64_t bytes, std::int64_t at) {
    for (std::int64_t done = 0; done < bytes;) {
      const ssize_t n = ::pwrite(descriptor_, static_cast<const char*>(data) + done,
                                 static_cast<std::size_t>(bytes - done), at + done);
      if (n < 0 && errno != EINTR) fail("write");
      done += std::max<ssize_t>(n, 0);
    }
  }
  void read(void* data, std::int64_t bytes, std::int64_t at) {
    const auto wanted = static_cast<std::size_t>(bytes);
    if (io::read_at(path_, descriptor_, at, data, wanted) != wanted)
      throw IoError(path_ + ": ends early");
  }
  void keep() {
    if (::fsync(descriptor_) != 0) fail("keep");
  }

 private:
  [[noreturn]] void fail(const char* what) const {
    throw IoError(path_ + ": cannot " + what + ": " + io::reason(errno));
  }
  std::string path_;
  int descriptor_ = -1;
};

/// Calls visit(host memory for one plane, its position in the file) for every plane of this rank.
template <class Visit>
void each_plane(const OwnPlanes& field, Visit&& visit) {
  for (std::size_t c = 0; c < field.components.size(); ++c)
    for (int z = 0; z < field.count; ++z)
      visit(static_cast<std::byte*>(field.components[c]) + z * field.plane_bytes,
            (static_cast<std::int64_t>(c) * field.all + field.first + z) * field.plane_bytes);
}

json to_json(const Grid& grid) {
  return {{"size", grid.size},
          {"spacing", grid.spacing},
          {"origin", grid.origin},
          {"direction", grid.direction}};
}

json to_json(const Standing& s) {
  json levels = json::array();
  for (const LevelTrace& level : s.levels) {
    levels.push_back({{"grid", to_json(level.grid)},
                      {"costs", level.costs},
                      {"seconds", level.seconds},
                      {"sigma_update", level.sigma_update},
                      {"sigma_warp", level.sigma_warp}});
    if (level.change) levels.back()["change"] = *level.change;
  }
  json linear = json::array();
  for (const LinearTrace& trace : s.linear)
    linear.push_back({{"stage", trace.stage}, {"level", trace.level}, {"costs", trace.costs}});
  return {{"linear_stages", s.linear_stages},
          {"linear", linear},
          {"affine", {{"linear", s.affine.linear}, {"translation", s.affine.translation}}},
          {"deformable", s.deformable},
          {"pass", s.pass},
          {"level", s.level},
          {"levels", levels},
          {"factors", s.factors},
          {"epsilon", s.epsilon}};
}

Standing standing_of(const json& j) {
  Standing s;
  s.linear_stages = j.at("linear_stages");
  s.affine.linear = j.at("affine").at("linear");
  s.affine.translation = j.at("affine").at("translation");
  for (const json& trace : j.at("linear"))
    s.linear.push_back({trace.at("stage"), trace.at("level"), trace.at("costs")});
  s.deformable = j.at("deformable");
  s.pass = j.at("pass");
  s.level = j.at("level");
  for (const json& level : j.at("levels")) {
    const json& grid = level.at("grid");
    s.levels.push_back(
        {{grid.at("size"), grid.at("spacing"), grid.at("origin"), grid.at("direction")},
         level.at("costs"),
         level.at("seconds")});
    if (level.contains("change")) s.levels.back().change = level.at("change").get<double>();
    s.levels.back().sigma_update = level.at("sigma_update");
    s.levels.back().sigma_warp = level.at("sigma_warp");
  }
  s.factors = j.at("factors").get<std::vector<float>>();
  s.epsilon = j.at("epsilon");
  return s;
}

json read_state(const std::string& folder) {
  const std::string path = folder + "/" + state_name;
  std::ifstream file(path);
  if (!file)
    throw IoError("--resume " + folder + ": no checkpoint is there (" + state_name + " is wanted)");
  try {
    json state = json::parse(file);
    for (const char* key : {"command", "working_directory", "program", "config", "images"})
      static_cast<void>(state.at("about").at(key));
    return state;
  } catch (const json::exception& error) {
    throw IoError(path + ": is no checkpoint: " + error.what());
  }
}

/// FNV-1a over words of eight bytes, and the bytes that are left.
std::uint64_t hashed(const void* data, std::size_t bytes, std::uint64_t hash) {
  const auto* at = static_cast<const unsigned char*>(data);
  constexpr std::uint64_t prime = 1099511628211U;
  std::size_t i = 0;
  for (; i + 8 <= bytes; i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at + i, 8);
    hash = (hash ^ word) * prime;
    hash ^= hash >> 32U;
  }
  for (; i < bytes; ++i) hash = (hash ^ at[i]) * prime;
  return hash;
}

/// A digest of the planes that this rank owns. The sum over all ranks is that of the image.
template <class T>
std::uint64_t fingerprint(const dist::Comm& comm, const Image<T>& image) {
  if (dist::Cut(comm, image.grid.domain()).whole() && comm.rank() > 0) return 0;
  const Box own = image.data.stored();
  const auto plane = static_cast<std::size_t>(own.size(1)) * own.size(2);
  std::uint64_t sum = 0;
  for (int z = own.lo[0]; z < own.hi[0]; ++z)
    sum += hashed(image.data.view().row(z, own.lo[1]) + own.lo[2], plane * sizeof(T),
                  14695981039346656037U ^ static_cast<std::uint64_t>(z));
  return sum;
}

}  // namespace

void add_checkpoint(CLI::App& command, CheckpointOptions& o) {
  command.add_option(
      "--checkpoint", o.folder,
      "save the state of the registration in this folder from time to time, and when a "
      "signal (Ctrl-C, SIGTERM, SIGUSR1) stops it");
  command.add_option("--every", o.every, "time between checkpoints, for example 30s, 5min or 2h")
      ->needs("--checkpoint")
      ->capture_default_str();
  command.add_option(
      "--resume", o.resume,
      "continue from a checkpoint with its command; only --ranks, --gpus, --threads, "
      "--device, --quiet and --verbose may be given with it");
}

std::vector<std::string> resumed_command(std::vector<std::string> words) {
  const auto resume = std::ranges::find(words, "--resume");
  if (words.empty() || words[0] != "register" || resume == words.end()) return words;
  require(resume + 1 != words.end(), "--resume: the folder of a checkpoint is wanted");
  const std::string folder = fs::absolute(*(resume + 1)).string();
  words.erase(resume, resume + 2);
  constexpr std::array with_value{"--ranks", "--gpus", "--transport", "--threads", "--device"};
  constexpr std::array flags{"--quiet", "-q", "--verbose", "-v"};
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (std::ranges::count(flags, words[i]) > 0) continue;
    require(std::ranges::count(with_value, words[i]) > 0,
            "register --resume: " + words[i] + ": the command is that of the checkpoint, only " +
                "--ranks, --gpus, --transport, --threads, --device, --quiet and --verbose can be "
                "given anew");
    ++i;
  }
  const json state = read_state(folder);
  std::vector<std::string> command;
  const std::vector<std::string> first = state.at("about").at("command");
  for (std::size_t i = 0; i < first.size(); ++i) {
    if (first[i] == "--resume") {
      ++i;
      continue;
    }
    const bool anew = std::ranges::count(words, first[i]) > 0;
    if (i > 0 && anew && std::ranges::count(with_value, first[i]) > 0)
      ++i;
    else if (i == 0 || !anew || std::ranges::count(flags, first[i]) == 0)
      command.push_back(first[i]);
  }
  command.insert(command.end(), words.begin() + 1, words.end());
  command.insert(command.end(), {"--resume", folder});
  const std::string home = state.at("about").at("working_directory");
  std::error_code error;
  fs::current_path(home, error);
  if (error)
    throw IoError("--resume " + folder + ": cannot go to " + home + ": " + error.message());
  return command;
}

std::string fingerprint(dist::Comm& comm, const registration::Inputs& inputs) {
  std::uint64_t mine = 0, total = 0;
  for (const auto* images : {&inputs.fixed, &inputs.moving})
    for (const auto& image : *images) mine = 31 * mine + fingerprint(comm, image);
  for (const auto* mask : {&inputs.fixed_mask, &inputs.moving_mask})
    mine = 31 * mine + (*mask ? fingerprint(comm, **mask) : 0);
  for (const std::uint64_t part : comm.all_gather(mine)) total += part;
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(total));
  return text.data();
}

CheckpointFolder::CheckpointFolder(const CheckpointOptions& options, json about)
    : folder_(options.folder),
      read_from_(options.resume),
      every_(seconds_of(options.every)),
      about_(std::move(about)) {
  if (!read_from_.empty()) read(read_from_);
  note_signals();
}

void CheckpointFolder::read(const std::string& folder) {
  const json state = read_state(folder);
  try {
    for (const char* same : {"program", "config", "images"})
      require(state.at("about").at(same) == about_.at(same),
              "--resume " + folder + ": the " + same + " of the checkpoint is another: " +
                  (std::string(same) == "config"
                       ? ""
                       : state.at("about").at(same).dump() + ", now " + about_.at(same).dump()));
    number_ = state.at("number");
    standing_ = standing_of(state.at("standing"));
  } catch (const json::exception& error) {
    throw IoError(folder + "/" + state_name + ": is no checkpoint: " + error.what());
  }
}

std::string CheckpointFolder::file(int number, const std::string& name) const {
  return folder_ + "/" + std::to_string(number) + (name.empty() ? "" : "/" + name + ".raw");
}

void CheckpointFolder::load(Context& ctx, const OwnPlanes& field) {
  const std::string path = read_from_ + "/" + std::to_string(number_) + "/" + field.name + ".raw";
  Descriptor file(path, O_RDONLY);
  std::vector<std::byte> host(static_cast<std::size_t>(field.plane_bytes));
  each_plane(field, [&](void* plane, std::int64_t at) {
    file.read(host.data(), field.plane_bytes, at);
    copy_bytes(ctx, ctx.backend, plane, Backend::cpu, host.data(), host.size());
  });
}

bool CheckpointFolder::due(dist::Comm& comm) {
  const double since = std::chrono::duration<double>(Clock::now() - last_).count();
  std::array<double, 2> asked{since >= every_ ? 1.0 : 0.0, static_cast<double>(noted_signal())};
  comm.all_max(asked);
  stop_ = static_cast<int>(asked[1]);
  return asked[0] > 0 || stop_ > 0;
}

void CheckpointFolder::save(Context& ctx, dist::Comm& comm, const Standing& standing,
                            const std::vector<OwnPlanes>& fields) {
  const bool first = comm.rank() == 0;
  const int before = number_++;
  if (first) fs::create_directories(file(number_, ""));
  comm.barrier();
  for (const OwnPlanes& field : fields) {
    if (!first && field.count == field.all) continue;  // every rank has all of it
    Descriptor to(file(number_, field.name), O_WRONLY | O_CREAT);
    std::vector<std::byte> host(static_cast<std::size_t>(field.plane_bytes));
    each_plane(field, [&](const void* plane, std::int64_t at) {
      copy_bytes(ctx, Backend::cpu, host.data(), ctx.backend, plane, host.size());
      to.write(host.data(), field.plane_bytes, at);
    });
    to.keep();
  }
  comm.barrier();
  if (first) {
    const json state{{"about", about_}, {"number", number_}, {"standing", to_json(standing)}};
    io::write_file(folder_ + "/" + state_name, state.dump(1) + "\n");
    std::error_code ignored;
    if (before > 0) fs::remove_all(file(before, ""), ignored);
  }
  last_ = Clock::now();
  if (stop_ > 0)
    throw Interrupted(stop_, "stopped by signal " + std::to_string(stop_) +
                                 ". To go on: ffdp register --resume " + folder_);
}

void CheckpointFolder::remove() {
  if (number_ == 0) return;
  std::error_code ignored;
  fs::remove(folder_ + "/" + state_name, ignored);
  fs::remove_all(file(number_, ""), ignored);
  fs::remove(folder_, ignored);
}

}  // namespace ffdp::cli
