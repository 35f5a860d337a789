# SPDX-License-Identifier: Apache-2.0
# What `pip install .` builds where nobody says: the CUDA backend where nvcc is, for the GPU of this
# machine, or for sm_80 and sm_90 where there is none.
if(NOT DEFINED FFDP_CUDA)
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    set(FFDP_CUDA ON)
  endif()
  message(STATUS "ffdp: CUDA backend: ${CMAKE_CUDA_COMPILER}")
endif()
if(FFDP_CUDA AND NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
  execute_process(COMMAND nvidia-smi -L OUTPUT_VARIABLE gpus RESULT_VARIABLE no_gpu ERROR_QUIET)
  if(no_gpu EQUAL 0 AND gpus MATCHES "GPU 0")
    set(CMAKE_CUDA_ARCHITECTURES native)
  else()
    set(CMAKE_CUDA_ARCHITECTURES 80 90)
  endif()
endif()
