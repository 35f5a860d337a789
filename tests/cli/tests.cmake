# SPDX-License-Identifier: Apache-2.0
# These run the program itself.
file(GLOB cli_tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*_test.cpp)
foreach(source ${cli_tests})
  get_filename_component(cli_test ${source} NAME_WE)
  string(REGEX REPLACE "_test$" "_cli" cli_test ${cli_test})
  ffdp_add_test(${cli_test} SOURCES ${source} LINK ffdp_commands)
  add_dependencies(${cli_test}_test ffdp_cli)
  target_compile_options(${cli_test}_test PRIVATE $<$<BOOL:${FFDP_SANITIZE}>:-O0>)  # the program computes, not they
  target_compile_definitions(${cli_test}_test PRIVATE FFDP_PROGRAM="$<TARGET_FILE:ffdp_cli>"
    FFDP_ANTS_FOLDER="${PROJECT_BINARY_DIR}/libexec/ffdp/ants"
    FFDP_TEST_DATA_DEFAULT="${PROJECT_SOURCE_DIR}/../shared/data"
    $<$<BOOL:${FFDP_MPI}>:FFDP_HAS_MPI>)
endforeach()

# nipype runs on the names of ANTs' programs; skipped, visibly, where it is not installed.
find_package(Python3 QUIET COMPONENTS Interpreter)
set(FFDP_NIPYPE_PYTHON "${Python3_EXECUTABLE}" CACHE FILEPATH "A Python that has nipype and nibabel")
add_test(NAME ants_nipype COMMAND ${FFDP_NIPYPE_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/ants_nipype_test.py
  ${PROJECT_BINARY_DIR}/libexec/ffdp/ants)
set_tests_properties(ants_nipype PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 600)

# Two network namespaces as two hosts; skipped where this machine has none for us.
if(FFDP_MPI)
  add_test(NAME two_hosts COMMAND ${CMAKE_CURRENT_LIST_DIR}/two_hosts.sh $<TARGET_FILE:ffdp_cli>)
  set_tests_properties(two_hosts PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 300)
endif()
