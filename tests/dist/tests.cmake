# SPDX-License-Identifier: Apache-2.0
file(GLOB dist_tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*_test.cpp)
foreach(source ${dist_tests})
  get_filename_component(dist_test ${source} NAME_WE)
  string(REGEX REPLACE "_test$" "" dist_test ${dist_test})
  ffdp_add_test(${dist_test} SOURCES ${source} LINK ffdp_dist ffdp_ops)
endforeach()
