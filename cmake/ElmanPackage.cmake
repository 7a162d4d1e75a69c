# SPDX-License-Identifier: MIT
# Debian packages, by CPack: elman (the command), libelmanX, libelman-dev and,
# where MPI was found, elman-mpi (its wing).
# `make deb` builds them for /usr; what they depend on is what dpkg-shlibdeps
# finds in the programs.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME elman)
set(CPACK_PACKAGE_VENDOR "the elman authors")
set(CPACK_PACKAGE_CONTACT "The elman authors <elman@example.org>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL program library develop)
if(TARGET elman-mpi)
  list(APPEND CPACK_COMPONENTS_ALL mpi)
endif()
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/cmake/ElmanDebian.cmake)
set(CPACK_ELMAN_STRIP ${CMAKE_STRIP})

find_program(DPKG_SHLIBDEPS dpkg-shlibdeps)
find_program(FILE_PROGRAM file)
mark_as_advanced(DPKG_SHLIBDEPS FILE_PROGRAM)
if(DPKG_SHLIBDEPS AND FILE_PROGRAM)
  set(shlibdeps ON)
else()
  set(shlibdeps OFF)
endif()

# elman_package(COMPONENT NAME SECTION TEXT)
macro(elman_package component name section text)
  string(TOUPPER ${component} upper)
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${name})
  set(CPACK_DEBIAN_${upper}_PACKAGE_SECTION ${section})
  set(CPACK_DEBIAN_${upper}_DESCRIPTION
      "Elman networks, LSTM and GRU, trained and run on ordinary processors,
with the same bits everywhere.\n.\n${text}")
endmacro()

set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "recurrent neural networks in C")
elman_package(program elman science
    "This is the command: it learns language models from text files, measures
them, lets them write, and runs the models of other programs.")
elman_package(library libelman${elman_soversion} libs
    "This is the library that programs load.")
elman_package(develop libelman-dev libdevel
    "These are the header, the static library, and the files by which
pkg-config and CMake find them.")
elman_package(mpi elman-mpi science
    "With this the command trains on many machines, under mpirun or srun.")
set(CPACK_DEBIAN_MPI_PACKAGE_SHLIBDEPS ${shlibdeps})
set(CPACK_DEBIAN_MPI_PACKAGE_DEPENDS "elman (= ${PROJECT_VERSION}-1)")
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ${shlibdeps})
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SHLIBDEPS ${shlibdeps})
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ${shlibdeps})
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA
    ${PROJECT_SOURCE_DIR}/cmake/debian/triggers)
set(CPACK_DEBIAN_DEVELOP_PACKAGE_DEPENDS
    "libelman${elman_soversion} (= ${PROJECT_VERSION}-1)")
if(optional_libraries)
  list(TRANSFORM optional_libraries PREPEND lib OUTPUT_VARIABLE recommended)
  list(TRANSFORM recommended APPEND -dev)
  list(JOIN recommended ", " CPACK_DEBIAN_DEVELOP_PACKAGE_RECOMMENDS)
endif()
include(CPack)
