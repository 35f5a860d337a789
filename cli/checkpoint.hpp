// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "ffdp/registration/register.hpp"

namespace ffdp::cli {

struct CheckpointOptions {
  std::string folder, every = "5min", resume;
};
/// Adds --checkpoint, --every and --resume.
void add_checkpoint(CLI::App& command, CheckpointOptions& options);

/// Replaces `register --resume DIR` by the command of the checkpoint, plus the options that were
/// given besides, and changes to the folder in which that command was given. Returns other commands
/// as they are.
/// @param words  the command line without the program's name
std::vector<std::string> resumed_command(std::vector<std::string> words);

/// A digest of the voxels, the same on any number of ranks. Collective; consumes nothing.
std::string fingerprint(dist::Comm& comm, const registration::Inputs& inputs);

/// Checkpoints of a registration in a folder, the newest one only:
///   checkpoint.json  the command, its configuration and images, where it stands, and N
///   N/NAME.raw       one field each: its components, planes, rows, voxels
/// A checkpoint is complete when checkpoint.json, which is replaced atomically, names its fields.
class CheckpointFolder final : public registration::Checkpoint {
 public:
  /// @param about  what must be equal in a resumed run: command, configuration, images
  CheckpointFolder(const CheckpointOptions& options, nlohmann::json about);

  const registration::Standing* standing() const override {
    return standing_ ? &*standing_ : nullptr;
  }
  void load(Context& ctx, const registration::OwnPlanes& field) override;
  bool due(dist::Comm& comm) override;
  void save(Context& ctx, dist::Comm& comm, const registration::Standing& standing,
            const std::vector<registration::OwnPlanes>& fields) override;
  /// Removes the checkpoint of a finished registration, and the folder if it is empty then.
  void remove();

 private:
  using Clock = std::chrono::steady_clock;
  void read(const std::string& folder);
  std::string file(int number, const std::string& name) const;

  std::string folder_, read_from_;
  double every_;
  nlohmann::json about_;
  std::optional<registration::Standing> standing_;  ///< to resume from
  int number_ = 0;                                  ///< of the newest checkpoint; 0: none yet
  int stop_ = 0;                                    ///< the signal that a rank has received
  Clock::time_point last_ = Clock::now();
};

}  // namespace ffdp::cli
