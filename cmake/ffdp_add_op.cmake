# SPDX-License-Identifier: Apache-2.0
# ffdp_add_op(NAME): ops/NAME/NAME.cpp (checks, dispatch) goes into ffdp_ops, ops/NAME/cpu.cpp into
# the shared library ffdp_ops_cpu, ops/NAME/cuda.cu into ffdp_ops where CUDA is on.
#
# ffdp_ops_cpu is built up to three times; the loader picks by processor from glibc-hwcaps/ beside
# the plain one (docs/adr/0006-cpu-variants.md), so one binary runs everywhere and is fast.
macro(ffdp_begin_ops)
  set(ffdp_ops_sources "")
  set(ffdp_ops_cpu_sources "")
endmacro()

macro(ffdp_add_op name)
  list(APPEND ffdp_ops_sources ops/${name}/${name}.cpp)
  list(APPEND ffdp_ops_cpu_sources ops/${name}/cpu.cpp)
  if(FFDP_CUDA)
    if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/ops/${name}/cuda.cu)
      list(APPEND ffdp_ops_sources ops/${name}/cuda.cu)
    else()  # called with Backend::cuda, it throws NotBuilt
      set_source_files_properties(ops/${name}/${name}.cpp PROPERTIES
        COMPILE_DEFINITIONS FFDP_OP_WITHOUT_CUDA)
    endif()
  endif()
endmacro()

function(ffdp_add_ops_cpu target)
  add_library(${target} SHARED ${ffdp_ops_cpu_sources})
  set_target_properties(${target} PROPERTIES OUTPUT_NAME ffdp_ops_cpu)
  target_link_libraries(${target} PUBLIC ffdp_core)
  target_compile_options(${target} PRIVATE -O3 -fvisibility-inlines-hidden)
  target_link_options(${target} PRIVATE $<$<NOT:$<BOOL:${FFDP_SANITIZE}>>:-Wl,--no-undefined>)
endfunction()

macro(ffdp_end_ops)
  ffdp_add_ops_cpu(ffdp_ops_cpu)
  if(FFDP_X86_VARIANTS AND CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
    foreach(level v3 v4)
      ffdp_add_ops_cpu(ffdp_ops_cpu_${level})
      target_compile_options(ffdp_ops_cpu_${level} PRIVATE -march=x86-64-${level}
        $<$<STREQUAL:${level},v4>:-mprefer-vector-width=512>)
      set_target_properties(ffdp_ops_cpu_${level} PROPERTIES LIBRARY_OUTPUT_DIRECTORY
        ${CMAKE_LIBRARY_OUTPUT_DIRECTORY}/glibc-hwcaps/x86-64-${level})
      add_dependencies(ffdp_ops_cpu ffdp_ops_cpu_${level})
    endforeach()
  endif()
  ffdp_add_layer(ops SOURCES ${ffdp_ops_sources} LINK ffdp_core ffdp_ops_cpu)
endmacro()
