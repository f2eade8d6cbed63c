/* context.h -- the context's insides. */
#ifndef HNI_CONTEXT_H
#define HNI_CONTEXT_H

#include <hybridnet/context.h>

#include <pthread.h>
#include <stdbool.h>

/* What a higher floor keeps for the context's lifetime; destroyed with it. */
typedef struct hni_context_part {
    void *data;
    void (*destroy)(void *data);
} hni_context_part;

struct hn_context {
    int32_t num_threads;
    int32_t engine;    /* HN_ENGINE_...                                                                     */
    bool bf16_vectors; /* this CPU multiplies bf16 best in vectors; asked once, since virtual machines take long */
    pthread_mutex_t mutex;
    hni_context_part part; /* of the convolution engine that keeps one; read and written under the lock */
    hn_allocator allocator;
    hn_log_fn log;
    void *log_user;
    hn_trace_fn trace;
    void *trace_user;
};

/* Short: other threads that use the context wait. */
void hni_context_lock(hn_context *context);
void hni_context_unlock(hn_context *context);

/* Sends one formatted line to the context's log; nothing without a log. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
void hni_log(hn_context *context, int32_t level, const char *format, ...);

/* Sends one end of a piece of work to the context's trace; nothing without one. ends: as in the event. */
void hni_trace(const hn_context *context, hn_trace_event *event, int32_t ends);

#endif
