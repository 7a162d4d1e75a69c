# SPDX-License-Identifier: MIT
# What `cmake --install` puts where, and how others find it: pkg-config's
# elman.pc and the package that find_package(elman) reads.  Both reckon from
# where they lie, so that an installed tree may be moved.
#
# Components, for packages (ElmanPackage.cmake): `program` is the command with
# its manual and what bash completes, `library` what a program needs that runs,
# `develop` what one needs that is compiled, `mpi` the command's wing for many
# machines.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/elman)

install(FILES include/elman.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        COMPONENT develop)
install(TARGETS elman_shared EXPORT elman-targets
        LIBRARY COMPONENT library NAMELINK_COMPONENT develop)
install(TARGETS elman_static EXPORT elman-targets
        ARCHIVE COMPONENT develop)
install(EXPORT elman-targets NAMESPACE elman:: DESTINATION ${package_dir}
        COMPONENT develop)

configure_package_config_file(
    cmake/elman-config.cmake.in ${PROJECT_BINARY_DIR}/elman-config.cmake
    INSTALL_DESTINATION ${package_dir}
    NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(
    ${PROJECT_BINARY_DIR}/elman-config-version.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/elman-config.cmake
              ${PROJECT_BINARY_DIR}/elman-config-version.cmake
        DESTINATION ${package_dir} COMPONENT develop)

# Folders below the prefix, if they are: a distribution may say them whole.
file(RELATIVE_PATH pc_to_prefix
     ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" pc_to_prefix "${pc_to_prefix}")
foreach(folder INCLUDEDIR LIBDIR)
  if(IS_ABSOLUTE "${CMAKE_INSTALL_${folder}}")
    set(pc_${folder} "${CMAKE_INSTALL_${folder}}")
  else()
    set(pc_${folder} "\${prefix}/${CMAKE_INSTALL_${folder}}")
  endif()
endforeach()
set(pc_private "-pthread")
foreach(library ${optional_libraries} m)
  string(APPEND pc_private " -l${library}")
endforeach()
configure_file(cmake/elman.pc.in ${PROJECT_BINARY_DIR}/elman.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/elman.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT develop)

# ---- The command, and what there is to read ---------------------------------
if(TARGET elman-cli)
  install(TARGETS elman-cli RUNTIME COMPONENT program)
  install(FILES cli/completion.sh RENAME elman
          DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/bash-completion/completions
          COMPONENT program)
endif()

# The wing is a package of its own, so that the command's has no MPI.
if(TARGET elman-mpi)
  install(TARGETS elman-mpi LIBRARY DESTINATION ${wing_dir} COMPONENT mpi)
endif()

# Manual pages are made of the documentation by sh and awk, which every machine
# has that is built on.
file(GLOB man_sources CONFIGURE_DEPENDS tools/man*)
set(man_dir ${PROJECT_BINARY_DIR}/man)
add_custom_command(OUTPUT ${man_dir}/elman.1 ${man_dir}/elman.3
    COMMAND sh ${PROJECT_SOURCE_DIR}/tools/man.sh ${man_dir}
    DEPENDS ${man_sources} docs/command-line.md include/elman.h
    COMMENT "Making the manual pages" VERBATIM)
add_custom_target(man ALL DEPENDS ${man_dir}/elman.1 ${man_dir}/elman.3)
add_dependencies(programs man)
install(DIRECTORY ${man_dir}/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1
        COMPONENT program FILES_MATCHING PATTERN "*.1")
install(FILES ${man_dir}/elman.3 DESTINATION ${CMAKE_INSTALL_MANDIR}/man3
        COMPONENT develop)
file(GLOB doc_pages CONFIGURE_DEPENDS docs/*.md)
install(FILES ${doc_pages} CHANGELOG.md LICENSE
        DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
