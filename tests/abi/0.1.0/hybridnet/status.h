/* status.h -- what functions return, and the sentence that explains a failure. */
#ifndef HYBRIDNET_STATUS_H
#define HYBRIDNET_STATUS_H

#include <hybridnet/export.h>
#include <stdint.h>

/* Zero is success, positive a normal outcome that is not an error, negative a failure.
 * After a failure nothing has been written to any output and no ownership has moved,
 * unless the function's own comment says otherwise.
 * The values are permanent: never renumbered, never reused.                             */
typedef int32_t hn_status;

#define HN_STATUS_LIST(X)                                          \
    X(HN_OK, 0, "success")                                         \
    X(HN_END, 1, "iteration finished")                             \
    X(HN_STOPPED, 2, "a callback asked to stop")                   \
    X(HN_E_ARG, -1, "invalid argument")                            \
    X(HN_E_SHAPE, -2, "shapes do not agree")                       \
    X(HN_E_NOMEM, -3, "allocation failed")                         \
    X(HN_E_WORKSPACE, -4, "scratch memory too small or misaligned") \
    X(HN_E_IO, -5, "input/output failure")                         \
    X(HN_E_FORMAT, -6, "file is not in the expected format")       \
    X(HN_E_VERSION, -7, "made for an incompatible version")        \
    X(HN_E_UNSUPPORTED, -8, "not supported by this build")         \
    X(HN_E_STATE, -9, "call not valid in the object's state")      \
    X(HN_E_NONFINITE, -10, "a NaN or infinity was found")          \
    X(HN_E_LABEL, -11, "a class label is out of range")            \
    X(HN_E_INTERNAL, -99, "bug in libhybridnet; please report it")

#define HN_STATUS_ENUM_(name, value, text) name = (value),
enum { HN_STATUS_LIST(HN_STATUS_ENUM_) };
#undef HN_STATUS_ENUM_

HN_BEGIN_DECLS

/* "HN_E_SHAPE"; "HN_UNKNOWN" for a value this library does not know. Never NULL; static storage. */
HN_API const char *hn_status_name(hn_status status);

/* "shapes do not agree"; never NULL; static storage. */
HN_API const char *hn_status_text(hn_status status);

/* The sentence about the last failure on the calling thread, naming the values at fault:
 * "hn_loss_psc: temperature is -0.1; it must be positive and finite".
 * Meaningful right after a negative status; valid until this thread's next failing call.
 * Never NULL ("" before any failure), never allocates.                                     */
HN_API const char *hn_last_error(void);

HN_END_DECLS
#endif
