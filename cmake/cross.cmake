# A toolchain file: Debian's cross compiler for a triple such as s390x-linux-gnu, the libraries of a sysroot that
# scripts/sysroot has filled, and QEMU to run the tests. Set by -DHN_CROSS_TRIPLE=, -DHN_CROSS_SYSROOT=.
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES HN_CROSS_TRIPLE HN_CROSS_SYSROOT)
string(REGEX REPLACE "-.*" "" CMAKE_SYSTEM_PROCESSOR "${HN_CROSS_TRIPLE}")
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_C_COMPILER ${HN_CROSS_TRIPLE}-gcc)
set(CMAKE_LIBRARY_ARCHITECTURE ${HN_CROSS_TRIPLE})
set(CMAKE_SYSROOT ${HN_CROSS_SYSROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-${CMAKE_SYSTEM_PROCESSOR} -L ${HN_CROSS_SYSROOT})

# Debian chooses among BLASes by links that a package's installation makes; here the folder is named.
set(hn_libraries ${HN_CROSS_SYSROOT}/usr/lib/${HN_CROSS_TRIPLE})
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${HN_CROSS_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR}
    ${hn_libraries}/openblas-openmp/pkgconfig:${hn_libraries}/pkgconfig:${HN_CROSS_SYSROOT}/usr/share/pkgconfig)
string(APPEND CMAKE_EXE_LINKER_FLAGS_INIT " -Wl,-rpath-link,${hn_libraries}")
