# SPDX-License-Identifier: Apache-2.0
add_executable(cpu_bench ${CMAKE_CURRENT_LIST_DIR}/cpu_bench.cpp)
target_link_libraries(cpu_bench PRIVATE ffdp_ops)
if(FFDP_TESTS)
  add_test(NAME bench_cpu_tiny COMMAND cpu_bench 12x13x17 2 1 today none here)
endif()
