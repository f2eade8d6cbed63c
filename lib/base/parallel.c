#include "base/parallel.h"

#ifdef _OPENMP
#include <omp.h>
#include <stdatomic.h>

int32_t hni_default_threads(void)
{
    const int usual = omp_get_max_threads();
    return usual < HNI_MAX_THREADS ? (int32_t)usual : HNI_MAX_THREADS;
}

enum { MAX_RANGES = 64, CACHE_LINE = 64 };

/* Tasks that nobody has begun: [next, end). */
typedef struct range {
    _Alignas(CACHE_LINE) atomic_int_least64_t next;
    int64_t end;
} range;

/* Each thread begins with a range of its own, the same one in every call with as many tasks, so that it finds in its cache
 * what it wrote in the call before. When it is through, it takes tasks from the others' ranges. Threads beyond MAX_RANGES
 * begin in ranges that others have, too.                                                                                */
void hni_parallel(int32_t num_threads, int64_t tasks, hni_task_fn fn, void *arg)
{
    if (tasks <= 0)
        return;
    if (tasks < num_threads)
        num_threads = (int32_t)tasks;
    if (num_threads < 1)
        num_threads = 1;
    range ranges[MAX_RANGES];
    const int32_t count = num_threads < MAX_RANGES ? num_threads : MAX_RANGES;
    for (int32_t i = 0; i < count; ++i) {
        atomic_init(&ranges[i].next, i * tasks / count);
        ranges[i].end = (i + 1) * tasks / count;
    }
#pragma omp parallel num_threads(num_threads) default(none) shared(ranges, count, fn, arg)
    {
        /* Sets this team member's own ICV, not the caller's: BLAS then runs each call on the calling thread
         * even in a team of one, which OpenMP does not count as parallel.                                    */
        omp_set_num_threads(1);
        const int32_t thread = (int32_t)omp_get_thread_num();
        for (int32_t i = 0; i < count; ++i) {
            range *r = &ranges[(thread + i) % count];
            int64_t task;
            while ((task = atomic_fetch_add_explicit(&r->next, 1, memory_order_relaxed)) < r->end)
                fn(arg, task, thread);
        }
    }
}

#else

int32_t hni_default_threads(void)
{
    return 1;
}

void hni_parallel(int32_t num_threads, int64_t tasks, hni_task_fn fn, void *arg)
{
    (void)num_threads;
    for (int64_t task = 0; task < tasks; ++task)
        fn(arg, task, 0);
}

#endif
