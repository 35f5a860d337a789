# SPDX-License-Identifier: Apache-2.0
add_test(NAME install_and_examples
  COMMAND ${CMAKE_COMMAND} -DBINARY_DIR=${PROJECT_BINARY_DIR} -DSOURCE_DIR=${PROJECT_SOURCE_DIR}
    -DCXX_FLAGS=${CMAKE_CXX_FLAGS} -DCMAKE_CTEST_COMMAND=${CMAKE_CTEST_COMMAND}
    -P ${CMAKE_CURRENT_LIST_DIR}/install_test.cmake)
set_tests_properties(install_and_examples PROPERTIES TIMEOUT 600)
