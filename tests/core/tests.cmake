# SPDX-License-Identifier: Apache-2.0
ffdp_add_test(core SOURCES ${CMAKE_CURRENT_LIST_DIR}/box_test.cpp ${CMAKE_CURRENT_LIST_DIR}/compare_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/grid_test.cpp ${CMAKE_CURRENT_LIST_DIR}/half_test.cpp ${CMAKE_CURRENT_LIST_DIR}/memory_test.cpp ${CMAKE_CURRENT_LIST_DIR}/noise_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/parallel_test.cpp LINK ffdp_core)
