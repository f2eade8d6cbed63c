/* export.h -- how the library's functions are marked. Part of libhybridnet (MIT). */
#ifndef HYBRIDNET_EXPORT_H
#define HYBRIDNET_EXPORT_H

/* HN_API marks every public function. Define HN_STATIC before including any header
 * when linking the static library on Windows; elsewhere it is not needed.          */
#if defined(HN_STATIC)
#define HN_API
#elif defined(_WIN32)
#ifdef HN_BUILDING
#define HN_API __declspec(dllexport)
#else
#define HN_API __declspec(dllimport)
#endif
#else
#define HN_API __attribute__((visibility("default")))
#endif

#if defined(__GNUC__) || defined(__clang__)
#define HN_MUST_CHECK __attribute__((warn_unused_result))
#else
#define HN_MUST_CHECK
#endif

#ifdef __cplusplus
#define HN_BEGIN_DECLS extern "C" {
#define HN_END_DECLS }
#else
#define HN_BEGIN_DECLS
#define HN_END_DECLS
#endif

#endif
