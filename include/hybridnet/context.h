/* context.h -- what objects share: number of threads, allocator, log sink, trace. There are no globals. */
#ifndef HYBRIDNET_CONTEXT_H
#define HYBRIDNET_CONTEXT_H

#include <hybridnet/engine.h>
#include <hybridnet/status.h>
#include <hybridnet/trace.h>
#include <hybridnet/types.h>

typedef struct hn_context hn_context;

/* Every byte an object of a context owns comes from here, but for the engine onednn's (engine.h). Calls may come from several
 * threads.                                                                                                               */
typedef struct hn_allocator {
    size_t struct_size;                                    /* sizeof(hn_allocator)                    */
    void *(*alloc)(void *user, size_t size, size_t align); /* align: a power of two; NULL on failure  */
    void (*release)(void *user, void *ptr, size_t size);   /* size as given to alloc; ptr never NULL  */
    void *user;
} hn_allocator;

enum { HN_LOG_WARNING = 1, HN_LOG_INFO = 2 };

/* Receives one line without a newline; may be called from any thread that uses the context. */
typedef void (*hn_log_fn)(int32_t level, const char *text, void *user);

typedef struct hn_context_options {
    size_t struct_size;
    int32_t num_threads; /* compute threads; 0 (default): as many as OpenMP would use. Results do not
                            depend on it.                                                             */
    int32_t engine;      /* who computes convolutions: HN_ENGINE_AUTO (default), HN_ENGINE_CBLAS ...  */
    const hn_allocator *allocator; /* copied; NULL (default): the C library's allocator               */
    hn_log_fn log;                 /* NULL (default): silent                                          */
    void *log_user;
    hn_trace_fn trace;             /* NULL (default): nobody is told; see trace.h                     */
    void *trace_user;
} hn_context_options;

HN_BEGIN_DECLS

/* Fills the struct with its defaults; struct_size: sizeof *options. NULL is ignored. */
HN_API void hn_context_options_init(hn_context_options *options, size_t struct_size);

/* Creates a context; *out is the caller's to destroy, after every object created with it.
 * HN_E_ARG for a negative num_threads or one above 1024, an unknown engine, or an allocator without functions;
 * HN_E_UNSUPPORTED for an engine that this build does not have; HN_E_NOMEM.
 * A context may be used by several threads at once.                                                    */
HN_API HN_MUST_CHECK hn_status hn_context_create(hn_context **out, const hn_context_options *options);

/* The number of compute threads in use (1 in a build without OpenMP). */
HN_API int32_t hn_context_num_threads(const hn_context *context);

/* The engine as it was asked for: HN_ENGINE_AUTO ...; -1 for NULL. */
HN_API int32_t hn_context_engine(const hn_context *context);

/* NULL is allowed. */
HN_API void hn_context_destroy(hn_context *context);

HN_END_DECLS
#endif
