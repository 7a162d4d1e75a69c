# SPDX-License-Identifier: MIT
# What Debian wants of a package's files, done to the trees that CPack is about
# to pack: manual pages and changelogs compressed, archives without what a
# debugger reads, and each package's licence in share/doc/PACKAGE/copyright.
set(source ${CMAKE_CURRENT_LIST_DIR}/..)
set(release ${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
foreach(component ${CPACK_COMPONENTS_ALL})
  string(TOUPPER ${component} upper)
  set(name ${CPACK_DEBIAN_${upper}_PACKAGE_NAME})
  set(tree ${CPACK_TEMPORARY_DIRECTORY}/${component}/usr)
  set(doc ${tree}/share/doc/${name})
  file(REMOVE ${doc}/LICENSE ${doc}/CHANGELOG.md)
  configure_file(${source}/LICENSE ${doc}/copyright COPYONLY)
  configure_file(${source}/CHANGELOG.md ${doc}/changelog COPYONLY)
  file(WRITE ${doc}/changelog.Debian
       "elman (${release}) unstable; urgency=medium\n\n"
       "  * changelog.gz says what is new.\n\n"
       " -- ${CPACK_PACKAGE_CONTACT}  ${date}\n")
  file(GLOB pages ${tree}/share/man/man?/*.?)
  execute_process(
      COMMAND gzip -9n ${pages} ${doc}/changelog ${doc}/changelog.Debian
      COMMAND_ERROR_IS_FATAL ANY)
  file(GLOB_RECURSE archives ${tree}/lib/*.a)
  if(archives AND CPACK_ELMAN_STRIP)
    execute_process(COMMAND ${CPACK_ELMAN_STRIP} --strip-debug ${archives}
        COMMAND_ERROR_IS_FATAL ANY)
  endif()
endforeach()
