# Compiler settings shared by everything in the tree: target hn_compile.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)

add_library(hn_compile INTERFACE)
target_compile_options(hn_compile INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes
                       -Wmissing-prototypes -Wpointer-arith $<$<BOOL:${HN_WERROR}>:-Werror>)
# An allocation per variable-length array would be one nobody checks.
target_compile_options(hn_compile INTERFACE -Wvla)
# Clang would join a product and a sum where the CPU can: 8-bit images and equal bits need each rounded.
target_compile_options(hn_compile INTERFACE -ffp-contract=off)
# With -std=c11, GCC on s390x computes in double what is float: slower, not with vectors, and other results than
# elsewhere. Where floats are computed as floats it says nothing new.
target_compile_options(hn_compile INTERFACE $<$<C_COMPILER_ID:GNU>:-fexcess-precision=fast>)

if(HN_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "HN_FUZZ=ON needs Clang: -DCMAKE_C_COMPILER=clang. On Debian: apt-get install clang libclang-rt-dev")
  endif()
  set(HN_SANITIZE address,undefined,fuzzer-no-link) # everything is instrumented, programs keep their own main
endif()
if(HN_SANITIZE)
  add_compile_options(-fsanitize=${HN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${HN_SANITIZE})
endif()
if(HN_COVERAGE)
  add_compile_options(--coverage -O0)
  add_link_options(--coverage)
endif()

# ISA variants of hot kernels: the loader picks the best one for the CPU. Sanitizers and ifunc resolvers do not mix. Two
# files with a static function of one name must link: Clang 14 makes their resolvers external, and they collide.
set(hn_target_clones OFF)
if(HN_ISA_VARIANTS AND NOT HN_SANITIZE AND NOT HN_COVERAGE)
  if(NOT DEFINED HN_HAVE_TARGET_CLONES)
    set(hn_check ${PROJECT_BINARY_DIR}/check_clones)
    foreach(name main other)
      file(WRITE ${hn_check}/${name}.c "
        __attribute__((target_clones(\"arch=x86-64-v4\", \"arch=x86-64-v3\", \"default\")))
        static int add(int x) { return x + 1; }
        int ${name}(int x) { return add(x); }")
    endforeach()
    try_compile(HN_HAVE_TARGET_CLONES ${hn_check}/build SOURCES ${hn_check}/main.c ${hn_check}/other.c)
  endif()
  set(hn_target_clones ${HN_HAVE_TARGET_CLONES})
  message(STATUS "ISA variants of hot functions: ${HN_HAVE_TARGET_CLONES}")
endif()
