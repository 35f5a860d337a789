// SPDX-License-Identifier: Apache-2.0
#include "ffdp/io/atomic_file.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ffdp/core/error.hpp"
#include "ffdp/io/text.hpp"

namespace ffdp::io {
namespace {

// Fixed storage, so that a signal handler can walk it without a lock or an allocation.
struct Slot {
  std::atomic<int> state{0};  // 0 free, 1 being filled, 2 holds a path
  char path[4096];
};
std::array<Slot, 64> registry;

[[noreturn]] void fail(const std::string& path, int error) {
  throw IoError(path + ": cannot be written: " + reason(error));
}

/// Puts all bytes by put(data, bytes), which may take fewer at a time.
template <class Put>
void put_all(const std::string& path, const void* data, std::size_t bytes, Put&& put) {
  const char* next = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = put(next, std::min(bytes, std::size_t{1} << 30));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(path, errno);
    next += written;
    bytes -= static_cast<std::size_t>(written);
  }
}

}  // namespace

int register_unfinished(const std::string& path) {
  if (path.size() >= sizeof(Slot::path)) return -1;
  for (std::size_t i = 0; i < registry.size(); ++i) {
    int expected = 0;
    if (!registry[i].state.compare_exchange_strong(expected, 1)) continue;
    std::memcpy(registry[i].path, path.c_str(), path.size() + 1);
    registry[i].state.store(2);
    return static_cast<int>(i);
  }
  return -1;
}

void unregister_unfinished(int slot) noexcept {
  if (slot >= 0) registry[static_cast<std::size_t>(slot)].state.store(0);
}

void remove_unfinished_files() noexcept {
  for (const Slot& slot : registry)
    if (slot.state.load() == 2) ::unlink(slot.path);
}

std::string temporary_name(const std::string& path) {
  static std::atomic<int> counter{0};
  const auto slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : path.substr(0, slash + 1);
  return folder + ".ffdp-unfinished-" + std::to_string(::getpid()) + "-" +
         std::to_string(counter.fetch_add(1));
}

std::string final_name(const std::string& path) {
  std::error_code error;
  std::filesystem::path target = path;
  for (int links = 0; links < 40 && std::filesystem::is_symlink(target, error); ++links) {
    const std::filesystem::path next = std::filesystem::read_symlink(target, error);
    if (error) throw IoError(path + ": the link cannot be followed: " + error.message());
    target = next.is_absolute() ? next : target.parent_path() / next;
  }
  const std::string folder = target.parent_path().empty() ? "." : target.parent_path().string();
  const long most = ::pathconf(folder.c_str(), _PC_NAME_MAX);
  if (most > 0 && target.filename().string().size() > static_cast<std::size_t>(most))
    throw IoError(path + ": cannot be written: the name has " +
                  std::to_string(target.filename().string().size()) + " bytes, at most " +
                  std::to_string(most) + " are possible");
  return target.string();
}

void check_writable(const std::string& path) {
  const std::string target = final_name(path);
  struct stat status;
  if (::stat(target.c_str(), &status) == 0 && S_ISDIR(status.st_mode))
    throw IoError(path + ": cannot be written: " + reason(EISDIR));
  AtomicFile unused(path);  // goes again without commit()
}

AtomicFile::AtomicFile(const std::string& path) : path_(path), target_(final_name(path)) {
  struct stat status;
  if (::stat(target_.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    descriptor_ = ::open(target_.c_str(), O_WRONLY | O_CLOEXEC);
    if (descriptor_ < 0) fail(path_, errno);
    return;
  }
  temporary_ = temporary_name(target_);
  slot_ = register_unfinished(temporary_);
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor_ < 0) {
    const int error = errno;
    unregister_unfinished(slot_);
    fail(path_, error);
  }
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  unregister_unfinished(slot_);
}

void AtomicFile::write(const void* data, std::size_t bytes) {
  put_all(path_, data, bytes,
          [&](const char* next, std::size_t count) { return ::write(descriptor_, next, count); });
}

std::int64_t AtomicFile::skip(std::int64_t bytes) {
  const off_t end = ::lseek(descriptor_, bytes, SEEK_CUR);
  if (end < 0) fail(path_, errno);
  return end - bytes;
}

void AtomicFile::commit() {
  const int descriptor = descriptor_;
  descriptor_ = -1;
  int error = ::close(descriptor) == 0 ? 0 : errno;
  if (!temporary_.empty()) {
    if (error == 0 && std::rename(temporary_.c_str(), target_.c_str()) != 0) error = errno;
    if (error != 0) ::unlink(temporary_.c_str());
    unregister_unfinished(slot_);
  }
  if (error != 0) fail(path_, error);
}

FileRoom::FileRoom(std::string path, const std::string& temporary)
    : path_(std::move(path)), descriptor_(::open(temporary.c_str(), O_WRONLY | O_CLOEXEC)) {}

FileRoom::FileRoom(FileRoom&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

FileRoom::~FileRoom() {
  if (found()) ::close(descriptor_);
}

void FileRoom::write(std::int64_t offset, const void* data, std::size_t bytes) {
  put_all(path_, data, bytes, [&](const char* next, std::size_t count) {
    const ssize_t written = ::pwrite(descriptor_, next, count, offset);
    if (written > 0) offset += written;
    return written;
  });
}

void FileRoom::close() {
  if (found() && ::close(std::exchange(descriptor_, -1)) != 0) fail(path_, errno);
}

void write_file(const std::string& path, const std::string& content) {
  AtomicFile file(path);
  file.write(content.data(), content.size());
  file.commit();
}

}  // namespace ffdp::io
