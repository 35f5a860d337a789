// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace ffdp::io {

/// A file that appears under its name only when it is whole. It is written under a temporary name
/// in the same folder and renamed by commit(); without commit() the destructor removes it.
/// If the target is a link, the link stays and the file that it leads to is replaced. A target that
/// is not a regular file (a device, a pipe) is written directly.
class AtomicFile {
 public:
  /// Throws IoError with path and reason.
  explicit AtomicFile(const std::string& path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  AtomicFile(AtomicFile&&) = delete;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  const std::string& path() const { return path_; }
  void write(const void* data, std::size_t bytes);
  /// Skips `bytes`, which a FileRoom fills before commit(). Returns where they begin [bytes].
  std::int64_t skip(std::int64_t bytes);
  /// Name of the file until commit(); empty if the target is written directly.
  const std::string& temporary() const { return temporary_; }
  /// Closes the file and renames it to the target.
  void commit();

 private:
  std::string path_, target_;  ///< as given, and the file that it leads to
  std::string temporary_;      ///< empty if the target is written directly
  int descriptor_ = -1;
  int slot_ = -1;  ///< in the registry of unfinished files
};

/// Fills skipped bytes of an AtomicFile of another thread or process on this machine.
class FileRoom {
 public:
  /// @param path       for messages
  /// @param temporary  AtomicFile::temporary
  FileRoom(std::string path, const std::string& temporary);
  FileRoom(FileRoom&& other) noexcept;
  FileRoom& operator=(FileRoom&&) = delete;
  FileRoom(const FileRoom&) = delete;
  FileRoom& operator=(const FileRoom&) = delete;
  ~FileRoom();

  /// Whether the file could be opened.
  bool found() const { return descriptor_ >= 0; }
  void write(std::int64_t offset, const void* data, std::size_t bytes);
  /// Ends writing; throws IoError if something could not be written.
  void close();

 private:
  std::string path_;
  int descriptor_;
};

/// Throws IoError if a file of this name cannot be written: its folder does not exist or is not
/// writable, or the name is too long. Leaves nothing behind.
void check_writable(const std::string& path);
/// The file that a write to `path` replaces: what a link leads to, else `path`. Throws IoError if
/// the name is too long.
std::string final_name(const std::string& path);

/// Writes a whole small file.
void write_file(const std::string& path, const std::string& content);

/// Registers a temporary file that another library writes. Returns its slot, or -1 if the registry
/// is full.
int register_unfinished(const std::string& path);
void unregister_unfinished(int slot) noexcept;
/// A temporary name in the folder of `path`.
std::string temporary_name(const std::string& path);

/// Removes the temporary files of all unfinished AtomicFiles. Async-signal-safe: for the handler
/// of SIGINT and SIGTERM.
void remove_unfinished_files() noexcept;

}  // namespace ffdp::io
