# Makes hybridnet::blis for a BLIS without a pkg-config file (Debian's): used by the build and by the installed package.
find_library(HN_BLIS_LIBRARY NAMES blis PATH_SUFFIXES blis-openmp blis-pthread blis-serial)
if(NOT HN_BLIS_INCLUDE)
  # BLIS' own cblas.h, never that of another BLAS: the two may differ in the width of integers.
  if(CMAKE_LIBRARY_ARCHITECTURE)
    set(hn_blis_arch_folders /usr/include/${CMAKE_LIBRARY_ARCHITECTURE})
  endif()
  find_path(HN_BLIS_INCLUDE NAMES blis.h PATHS ${hn_blis_arch_folders}
            PATH_SUFFIXES blis blis-openmp blis-pthread blis-serial)
endif()
if(HN_BLIS_LIBRARY AND HN_BLIS_INCLUDE AND EXISTS ${HN_BLIS_INCLUDE}/cblas.h AND NOT TARGET hybridnet::blis)
  add_library(hybridnet::blis INTERFACE IMPORTED GLOBAL)
  set_target_properties(hybridnet::blis PROPERTIES INTERFACE_LINK_LIBRARIES ${HN_BLIS_LIBRARY}
                        INTERFACE_INCLUDE_DIRECTORIES ${HN_BLIS_INCLUDE})
endif()
mark_as_advanced(HN_BLIS_LIBRARY HN_BLIS_INCLUDE)
