# SPDX-License-Identifier: Apache-2.0
find_package(Python3 REQUIRED COMPONENTS Interpreter)
add_test(NAME layers COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/check_layers.py ${PROJECT_SOURCE_DIR})
add_test(NAME layers_self_test COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/check_layers.py --self-test)
add_test(NAME sizes COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/check_sizes.py ${PROJECT_SOURCE_DIR})
add_test(NAME sizes_self_test COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/check_sizes.py --self-test)
add_test(NAME mutate_self_test COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/mutate.py --self-test)
add_test(NAME new_op COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/new_op.py --self-test)
add_test(NAME bench_compare COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/bench_compare.py --self-test)
add_test(NAME plan_predicts COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/benchmarks/e2e/predicted.py $<TARGET_FILE:ffdp_cli>
  --check ${PROJECT_SOURCE_DIR}/docs/grid_parallel.md)
