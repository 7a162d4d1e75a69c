# SPDX-License-Identifier: MIT
# What `cmake --install` puts where, and how others find it: pkg-config's
# elman.pc and the package that find_package(elman) reads.  Both reckon from
# where they lie, so that an installed tree may be moved.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/elman)

install(FILES include/elman.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS elman_static elman_shared EXPORT elman-targets)
install(EXPORT elman-targets NAMESPACE elman:: DESTINATION ${package_dir})

configure_package_config_file(
    cmake/elman-config.cmake.in ${PROJECT_BINARY_DIR}/elman-config.cmake
    INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(
    ${PROJECT_BINARY_DIR}/elman-config-version.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/elman-config.cmake
              ${PROJECT_BINARY_DIR}/elman-config-version.cmake
        DESTINATION ${package_dir})

file(RELATIVE_PATH pc_to_prefix
     ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" pc_to_prefix "${pc_to_prefix}")
configure_file(cmake/elman.pc.in ${PROJECT_BINARY_DIR}/elman.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/elman.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
