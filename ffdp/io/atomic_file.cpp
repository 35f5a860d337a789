// SPDX-License-Identifier: Apache-2.0
#include "ffdp/io/atomic_file.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ffdp/core/error.hpp"

namespace ffdp::io {
namespace {

// Fixed storage, so that a signal handler can walk it without a lock or an allocation.
struct Slot {
  std::atomic<int> state{0};  // 0 free, 1 being filled, 2 holds a path
  char path[4096];
};
std::array<Slot, 64> registry;

std::string reason(int error) { return std::generic_category().message(error); }

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

AtomicFile::AtomicFile(const std::string& path) : path_(path) {
  struct stat status;
  if (::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    descriptor_ = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (descriptor_ < 0) fail("cannot be written", errno);
    return;
  }
  temporary_ = temporary_name(path);
  slot_ = register_unfinished(temporary_);
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor_ < 0) {
    const int error = errno;
    unregister_unfinished(slot_);
    fail("cannot be written", error);
  }
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  unregister_unfinished(slot_);
}

void AtomicFile::write(const void* data, std::size_t bytes) {
  const char* next = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(descriptor_, next, std::min(bytes, std::size_t{1} << 30));
    if (written < 0) {
      if (errno == EINTR) continue;
      fail("cannot be written", errno);
    }
    next += written;
    bytes -= static_cast<std::size_t>(written);
  }
}

void AtomicFile::commit() {
  const int descriptor = descriptor_;
  descriptor_ = -1;
  int error = ::close(descriptor) == 0 ? 0 : errno;
  if (!temporary_.empty()) {
    if (error == 0 && std::rename(temporary_.c_str(), path_.c_str()) != 0) error = errno;
    if (error != 0) ::unlink(temporary_.c_str());
    unregister_unfinished(slot_);
  }
  if (error != 0) fail("cannot be written", error);
}

void AtomicFile::fail(const char* what, int error) const {
  throw IoError(path_ + ": " + what + ": " + reason(error));
}

void write_file(const std::string& path, const std::string& content) {
  AtomicFile file(path);
  file.write(content.data(), content.size());
  file.commit();
}

}  // namespace ffdp::io
