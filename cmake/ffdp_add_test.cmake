# SPDX-License-Identifier: Apache-2.0
# ffdp_add_test(NAME SOURCES … [LINK …]): a GoogleTest program; each TEST becomes a ctest. -O1, because compiling
# them takes longer than what they compute themselves.
function(ffdp_add_test name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name}_test ${arg_SOURCES})
  target_link_libraries(${name}_test PRIVATE ${arg_LINK} GTest::gtest_main)
  target_compile_definitions(${name}_test PRIVATE $<$<BOOL:${FFDP_SANITIZE}>:FFDP_SANITIZE>)
  target_compile_options(${name}_test PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-O1>)
  gtest_discover_tests(${name}_test DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 600)
endfunction()
