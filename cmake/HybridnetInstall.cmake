# Library, headers, CMake package and pkg-config file; everything below the prefix is relocatable.
include(CMakePackageConfigHelpers)

set(hn_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/hybridnet)
install(TARGETS hybridnet EXPORT hybridnet_shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS hybridnet_static EXPORT hybridnet_static ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/doc/hybridnet) # not DOCDIR: a parent project's

# ---- find_package(hybridnet) ---------------------------------------------------------------------------------------
# Two export sets: who links the shared library needs none of its dependencies.
install(EXPORT hybridnet_shared FILE hybridnet-shared.cmake NAMESPACE hybridnet:: DESTINATION ${hn_package_dir})
install(EXPORT hybridnet_static FILE hybridnet-static.cmake NAMESPACE hybridnet:: DESTINATION ${hn_package_dir})
foreach(part OPENMP ONEDNN) # the others are pkg-config's: hn_feature_modules
  set(HN_WITH_${part} OFF)
  string(TOLOWER hn_${part}_target target)
  if(${target})
    set(HN_WITH_${part} ON)
  endif()
endforeach()
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/hybridnet-config.cmake.in
                              ${PROJECT_BINARY_DIR}/hybridnet-config.cmake INSTALL_DESTINATION ${hn_package_dir})
# As far as the library's name goes (docs/abi.md).
set(hn_compatibility SameMajorVersion)
if(PROJECT_VERSION_MAJOR EQUAL 0)
  set(hn_compatibility SameMinorVersion)
endif()
write_basic_package_version_file(${PROJECT_BINARY_DIR}/hybridnet-config-version.cmake COMPATIBILITY ${hn_compatibility})
install(FILES ${PROJECT_BINARY_DIR}/hybridnet-config.cmake ${PROJECT_BINARY_DIR}/hybridnet-config-version.cmake
        ${PROJECT_SOURCE_DIR}/cmake/HybridnetBlis.cmake ${PROJECT_SOURCE_DIR}/cmake/HybridnetOnednn.cmake
        DESTINATION ${hn_package_dir})

# ---- pkg-config ----------------------------------------------------------------------------------------------------
set(hn_pc_prefix ${CMAKE_INSTALL_PREFIX})
if(NOT IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR})
  file(RELATIVE_PATH up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
  string(REGEX REPLACE "/$" "" up ${up})
  set(hn_pc_prefix "\${pcfiledir}/${up}")
endif()
foreach(dir LIBDIR INCLUDEDIR)
  set(hn_pc_${dir} ${CMAKE_INSTALL_${dir}})
  if(NOT IS_ABSOLUTE ${CMAKE_INSTALL_${dir}})
    set(hn_pc_${dir} "\${prefix}/${CMAKE_INSTALL_${dir}}")
  endif()
endforeach()
list(JOIN HN_PC_REQUIRES ", " hn_pc_requires)
list(JOIN HN_PC_LIBS " " hn_pc_libs)
configure_file(${PROJECT_SOURCE_DIR}/hybridnet.pc.in ${PROJECT_BINARY_DIR}/hybridnet.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/hybridnet.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
