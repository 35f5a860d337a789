# SPDX-License-Identifier: Apache-2.0
# Installs the layers as ffdp::ffdp_<layer> and ffdp::ffdp (all), with the headers of the contracts.
include(CMakePackageConfigHelpers)
get_property(ffdp_layers GLOBAL PROPERTY FFDP_LAYERS)
add_library(ffdp_all INTERFACE)
set_target_properties(ffdp_all PROPERTIES EXPORT_NAME ffdp)
target_link_libraries(ffdp_all INTERFACE ${ffdp_layers})
add_library(ffdp::ffdp ALIAS ffdp_all)

install(TARGETS ffdp_all ffdp_options ffdp_ops_cpu ${ffdp_layers} EXPORT ffdpTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
foreach(level v3 v4)  # not exported: the loader finds them beside ffdp_ops_cpu
  if(TARGET ffdp_ops_cpu_${level})
    install(TARGETS ffdp_ops_cpu_${level}
      LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/glibc-hwcaps/x86-64-${level})
  endif()
endforeach()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/ffdp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.hpp"
  PATTERN "math.hpp" EXCLUDE PATTERN "backends.hpp" EXCLUDE PATTERN "reference.hpp" EXCLUDE)

set(ffdp_config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/ffdp)
install(EXPORT ffdpTargets NAMESPACE ffdp:: DESTINATION ${ffdp_config_dir})
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/ffdpConfig.cmake.in
  ${PROJECT_BINARY_DIR}/ffdpConfig.cmake INSTALL_DESTINATION ${ffdp_config_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/ffdpConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/ffdpConfig.cmake ${PROJECT_BINARY_DIR}/ffdpConfigVersion.cmake
  DESTINATION ${ffdp_config_dir})
