# SPDX-License-Identifier: Apache-2.0
file(GLOB io_tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*_test.cpp)
foreach(source ${io_tests})
  get_filename_component(io_test ${source} NAME_WE)
  string(REGEX REPLACE "_test$" "" io_test ${io_test})
  ffdp_add_test(${io_test} SOURCES ${source} LINK ffdp_io ffdp_registration ffdp_evaluation ffdp_phantom)
  target_compile_definitions(${io_test}_test PRIVATE
    FFDP_TEST_DATA_DEFAULT="${PROJECT_SOURCE_DIR}/../shared/data")
endforeach()
