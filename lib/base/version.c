#include <hybridnet/version.h>

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

uint32_t hn_version_number(void)
{
    return HN_VERSION_NUMBER;
}

const char *hn_version_string(void)
{
    return TEXT(HN_VERSION_MAJOR) "." TEXT(HN_VERSION_MINOR) "." TEXT(HN_VERSION_PATCH);
}

const char *hn_build_info(void)
{
#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#elif defined(__GNUC__)
#define COMPILER "gcc " __VERSION__
#else
#define COMPILER "unknown compiler"
#endif
    return COMPILER "; BLAS " HNI_BLAS_NAME
#ifdef _OPENMP
                    "; OpenMP"
#endif
#ifdef HNI_HAVE_ONEDNN
                    "; oneDNN"
#endif
#ifdef HNI_HAVE_ZLIB
                    "; zlib"
#endif
#ifdef HNI_HAVE_JANSSON
                    "; jansson"
#endif
#ifdef HNI_HAVE_JPEG
                    "; jpeg"
#endif
#ifdef HNI_HAVE_PNG
                    "; png"
#endif
        ;
}
