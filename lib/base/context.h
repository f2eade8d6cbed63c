/* context.h -- the context's insides. */
#ifndef HNI_CONTEXT_H
#define HNI_CONTEXT_H

#include <hybridnet/context.h>

struct hn_context {
    int32_t num_threads;
    hn_allocator allocator;
    hn_log_fn log;
    void *log_user;
};

/* Sends one formatted line to the context's log; nothing without a log. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
void hni_log(hn_context *context, int32_t level, const char *format, ...);

#endif
