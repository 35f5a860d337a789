# SPDX-License-Identifier: Apache-2.0
# One program an op: <op>_test.cpp beside this file.
file(GLOB op_tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*_test.cpp)
if(NOT FFDP_CUDA)
  list(FILTER op_tests EXCLUDE REGEX "/cuda_(storage_)?test[.]cpp$")
endif()
foreach(source ${op_tests})
  get_filename_component(op_test ${source} NAME_WE)
  string(REGEX REPLACE "_test$" "" op_test ${op_test})
  ffdp_add_test(${op_test} SOURCES ${source} LINK ffdp_ops)
endforeach()
