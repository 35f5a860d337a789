# SPDX-License-Identifier: Apache-2.0
add_executable(cpu_bench ${CMAKE_CURRENT_LIST_DIR}/cpu_bench.cpp)
target_link_libraries(cpu_bench PRIVATE ffdp_ops)
if(FFDP_TESTS)
  add_test(NAME bench_cpu_tiny COMMAND cpu_bench 12x13x17 2 1 today none here)
endif()
if(FFDP_TESTS)  # the program's own, on the CPU and, where there is one, on a GPU
  add_test(NAME bench_program_tiny COMMAND ffdp_cli bench --size 24x20x28 --repeats 2 --device cpu)
  add_test(NAME bench_program_tiny_auto COMMAND ffdp_cli bench --size 24x20x28 --repeats 2)
endif()
