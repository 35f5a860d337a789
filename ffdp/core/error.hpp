// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>

namespace ffdp {

/// Base of everything the library throws. Messages read `<op or file>: <what> <got>, <wanted>`.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};
/// A documented precondition does not hold.
struct InvalidArgument : Error {
  using Error::Error;
};
/// A device call failed.
struct DeviceError : Error {
  using Error::Error;
};
/// Memory of the host or of a device could not be allocated.
struct OutOfMemory : DeviceError {
  using DeviceError::DeviceError;
};
/// Another rank sent something unexpected, or nothing.
struct CommError : Error {
  using Error::Error;
};
/// A file cannot be read or written, or does not hold what its header says.
struct IoError : Error {
  using Error::Error;
};
/// The feature exists, but this build does not include it.
struct NotBuilt : Error {
  using Error::Error;
};

/// Throws InvalidArgument with `message` unless `condition` holds.
inline void require(bool condition, const char* message) {
  if (!condition) throw InvalidArgument(message);
}
inline void require(bool condition, const std::string& message) {
  if (!condition) throw InvalidArgument(message);
}

}  // namespace ffdp
