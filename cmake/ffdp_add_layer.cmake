# SPDX-License-Identifier: Apache-2.0
# ffdp_add_layer(NAME SOURCES … [LINK layers…] [PRIVATE libraries…]): the library ffdp_NAME.
function(ffdp_add_layer name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK;PRIVATE" ${ARGN})
  set(target ffdp_${name})
  if(arg_SOURCES)
    add_library(${target} STATIC ${arg_SOURCES})
    target_link_libraries(${target} PUBLIC ffdp_options ${arg_LINK} PRIVATE ${arg_PRIVATE})
  else()
    add_library(${target} INTERFACE)
    target_link_libraries(${target} INTERFACE ffdp_options ${arg_LINK})
  endif()
  set_property(GLOBAL APPEND PROPERTY FFDP_LAYERS ${target})
endfunction()
