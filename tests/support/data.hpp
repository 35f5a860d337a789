// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include <unistd.h>

namespace ffdp::test {

/// Path of a real test image: under FFDP_TEST_DATA, else where the build was told it lies.
/// Tests that need one skip, visibly, where it is absent.
inline std::string data_path(const std::string& relative) {
  const char* folder = std::getenv("FFDP_TEST_DATA");
  return std::string(folder != nullptr ? folder : FFDP_TEST_DATA_DEFAULT) + "/" + relative;
}
inline bool has_data(const std::string& relative) {
  return std::filesystem::exists(data_path(relative));
}

/// A new folder that goes with its content when the object does.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "ffdp-test-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  TemporaryFolder(TemporaryFolder&&) = delete;
  TemporaryFolder& operator=(TemporaryFolder&&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }
  /// Number of files, hidden ones too.
  std::size_t count() const {
    std::size_t n = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(path_)) ++n;
    return n;
  }

 private:
  std::string path_;
};

}  // namespace ffdp::test
