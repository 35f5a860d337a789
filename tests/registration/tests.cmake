# SPDX-License-Identifier: Apache-2.0
file(GLOB registration_tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*_test.cpp)
foreach(source ${registration_tests})
  get_filename_component(registration_test ${source} NAME_WE)
  string(REGEX REPLACE "_test$" "" registration_test ${registration_test})
  ffdp_add_test(${registration_test} SOURCES ${source} LINK ffdp_registration)
endforeach()
