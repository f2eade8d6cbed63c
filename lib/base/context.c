#include "base/context.h"

#include "base/error.h"
#include "base/isa.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/parallel.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void *system_alloc(void *user, size_t size, size_t align)
{
    (void)user;
    return aligned_alloc(align, size); /* sizes arrive rounded up to the alignment */
}

static void system_release(void *user, void *ptr, size_t size)
{
    (void)user;
    (void)size;
    free(ptr);
}

void hn_context_options_init(hn_context_options *options, size_t struct_size)
{
    const hn_context_options defaults = {.struct_size = sizeof defaults};
    hni_options_init(options, struct_size, &defaults, sizeof defaults);
}

hn_status hn_context_create(hn_context **out, const hn_context_options *options)
{
    hn_context_options o = {.struct_size = sizeof o};
    HNI_FAIL_IF(out == NULL, HN_E_ARG, "hn_context_create: out is NULL");
    HNI_TRY(hni_options_read(&o, sizeof o, options, "hn_context_create"));
    HNI_FAIL_IF(o.num_threads < 0 || o.num_threads > HNI_MAX_THREADS, HN_E_ARG,
                "hn_context_create: num_threads is %d; it must be in [0, %d]", (int)o.num_threads,
                (int)HNI_MAX_THREADS);
    HNI_FAIL_IF(hn_engine_name(o.engine) == NULL, HN_E_ARG, "hn_context_create: engine %d does not exist",
                (int)o.engine);
    HNI_FAIL_IF(!hn_engine_available(o.engine), HN_E_UNSUPPORTED,
                "hn_context_create: this build has no engine \"%s\" (CMake option HN_ONEDNN)",
                hn_engine_name(o.engine));
    hn_allocator allocator = {
        .struct_size = sizeof allocator, .alloc = system_alloc, .release = system_release, .user = NULL};
    HNI_TRY(hni_options_read(&allocator, sizeof allocator, o.allocator, "hn_context_create"));
    HNI_FAIL_IF(allocator.alloc == NULL || allocator.release == NULL, HN_E_ARG,
                "hn_context_create: the allocator lacks %s", allocator.alloc == NULL ? "alloc" : "release");

    size_t size = hni_round_up(sizeof(hn_context));
    hn_context *context = allocator.alloc(allocator.user, size, HNI_ALIGN);
    HNI_FAIL_IF(context == NULL, HN_E_NOMEM, "hn_context_create: out of memory (%zu bytes)", size);
    *context = (hn_context){.num_threads = o.num_threads > 0 ? o.num_threads : hni_default_threads(),
                            .engine = o.engine,
                            .bf16_vectors = hni_isa_has_bf16() && !hni_isa_has_bf16_matrices(),
                            .allocator = allocator,
                            .log = o.log,
                            .log_user = o.log_user,
                            .trace = o.trace,
                            .trace_user = o.trace_user};
#ifndef _OPENMP
    context->num_threads = 1;
#endif
    if (pthread_mutex_init(&context->mutex, NULL) != 0) {
        allocator.release(allocator.user, context, size);
        return hni_fail(HN_E_NOMEM, "hn_context_create: no mutex can be made");
    }
    *out = context;
    return HN_OK;
}

int32_t hn_context_engine(const hn_context *context)
{
    return context == NULL ? -1 : context->engine;
}

int32_t hn_context_num_threads(const hn_context *context)
{
    return context == NULL ? 0 : context->num_threads;
}

void hn_context_destroy(hn_context *context)
{
    if (context == NULL)
        return;
    hn_allocator allocator = context->allocator;
    if (context->part.destroy != NULL)
        context->part.destroy(context->part.data);
    (void)pthread_mutex_destroy(&context->mutex);
    allocator.release(allocator.user, context, hni_round_up(sizeof(hn_context)));
}

void hni_context_lock(hn_context *context)
{
    (void)pthread_mutex_lock(&context->mutex);
}

void hni_context_unlock(hn_context *context)
{
    (void)pthread_mutex_unlock(&context->mutex);
}

void hni_log(hn_context *context, int32_t level, const char *format, ...)
{
    if (context->log == NULL)
        return;
    char line[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    hni_one_line(line);
    context->log(level, line, context->log_user);
}

void hni_trace(const hn_context *context, hn_trace_event *event, int32_t ends)
{
    if (context->trace == NULL)
        return;
    event->ends = ends;
    context->trace(event, context->trace_user);
}
