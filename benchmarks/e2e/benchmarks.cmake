# SPDX-License-Identifier: Apache-2.0
add_executable(gigavoxel ${CMAKE_CURRENT_LIST_DIR}/gigavoxel.cpp)
target_link_libraries(gigavoxel PRIVATE ffdp_registration ffdp_evaluation ffdp_phantom)
if(FFDP_TESTS)
  add_test(NAME bench_gigavoxel_tiny COMMAND gigavoxel 40x48x40 cpu iterations=6x4)
endif()
