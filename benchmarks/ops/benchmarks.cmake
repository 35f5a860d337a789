# SPDX-License-Identifier: Apache-2.0
if(FFDP_CUDA)
  add_executable(cuda_bench ${CMAKE_CURRENT_LIST_DIR}/cuda_bench.cu)
  target_link_libraries(cuda_bench PRIVATE ffdp_ops)
  if(FFDP_TESTS)
    add_test(NAME CudaBench.Runs COMMAND cuda_bench 24x20x28)
    set_tests_properties(CudaBench.Runs PROPERTIES SKIP_RETURN_CODE 77)
  endif()
endif()
