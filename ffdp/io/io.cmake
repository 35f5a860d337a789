# SPDX-License-Identifier: Apache-2.0
option(FFDP_HDF5 "Read and write ITK composite transforms (.h5)" ON)
find_library(FFDP_LIBDEFLATE deflate REQUIRED)
find_path(FFDP_LIBDEFLATE_INCLUDE libdeflate.h REQUIRED)
find_library(FFDP_ISAL isal REQUIRED)
find_path(FFDP_ISAL_INCLUDE isa-l/igzip_lib.h REQUIRED)

set(io_sources atomic_file.cpp byte_sink.cpp byte_source.cpp datatype.cpp gzip_members.cpp gzip_reader.cpp itk_parameters.cpp
  matlab4.cpp nifti_header.cpp nifti_make_header.cpp nifti_read.cpp nifti_write.cpp orientation.cpp points_csv.cpp
  png.cpp text_headers.cpp text_transforms.cpp transform_file.cpp)
if(FFDP_HDF5)
  list(APPEND io_sources hdf5_transforms.cpp)
  enable_language(C)  # FindHDF5 needs it
  find_package(HDF5 REQUIRED COMPONENTS C)
else()
  list(APPEND io_sources hdf5_absent.cpp)
endif()
list(TRANSFORM io_sources PREPEND io/)
ffdp_add_layer(io SOURCES ${io_sources} LINK ffdp_core
  PRIVATE ${FFDP_LIBDEFLATE} ${FFDP_ISAL} $<$<BOOL:${FFDP_HDF5}>:hdf5::hdf5>)
target_include_directories(ffdp_io PRIVATE ${FFDP_LIBDEFLATE_INCLUDE} ${FFDP_ISAL_INCLUDE})
