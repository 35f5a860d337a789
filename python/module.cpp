// SPDX-License-Identifier: Apache-2.0
#include "bindings.hpp"
#include "cli/common.hpp"

#include "ffdp/core/device.hpp"
#include "ffdp/core/log.hpp"

namespace ffdp::python {
namespace {

/// Errors keep their text and become what a Python programmer expects.
void translate(const std::exception_ptr& thrown, void*) {
  try {
    std::rethrow_exception(thrown);
  } catch (const InvalidArgument& error) {
    PyErr_SetString(PyExc_ValueError, error.what());
  } catch (const IoError& error) {
    PyErr_SetString(PyExc_OSError, error.what());
  } catch (const OutOfMemory& error) {
    PyErr_SetString(PyExc_MemoryError, error.what());
  } catch (const NotBuilt& error) {
    PyErr_SetString(PyExc_NotImplementedError, error.what());
  } catch (const Error& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
}

/// Warnings of the library become warnings of Python.
void warn(Level level, std::string_view message) {
  if (level != Level::warning) return;
  const nb::gil_scoped_acquire held;
  if (PyErr_WarnEx(PyExc_UserWarning, std::string(message).c_str(), 1) != 0)
    throw nb::python_error();
}

}  // namespace

Context cpu_context(int threads) {
  cli::Common common;
  common.threads = threads;
  common.quiet = true;
  Context ctx = cli::start(common);
  set_log_sink(warn);
  return ctx;
}

}  // namespace ffdp::python

NB_MODULE(_ffdp, m) {
  using namespace ffdp::python;
  nb::register_exception_translator(translate);
  m.attr("version") = FFDP_VERSION;
#if defined(FFDP_HAS_CUDA)
  m.attr("has_cuda") = true;
#else
  m.attr("has_cuda") = false;
#endif
  m.def("cuda_devices", &ffdp::cuda_devices, "Number of CUDA devices that can be used.");
  bind_images(m);
  bind_transforms(m);
  bind_registration(m);
  bind_training(m);
}
