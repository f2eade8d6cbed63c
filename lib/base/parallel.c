#include "base/parallel.h"

#ifdef _OPENMP
#include <omp.h>

int32_t hni_default_threads(void)
{
    return (int32_t)omp_get_max_threads();
}

void hni_parallel(int32_t num_threads, int64_t tasks, hni_task_fn fn, void *arg)
{
    if (tasks < num_threads)
        num_threads = (int32_t)tasks;
    if (tasks <= 0)
        return;
#pragma omp parallel num_threads(num_threads) default(none) shared(tasks, fn, arg)
    {
        /* Sets this team member's own ICV, not the caller's: BLAS then runs each call on the calling thread
         * even in a team of one, which OpenMP does not count as parallel.                                    */
        omp_set_num_threads(1);
        int32_t thread = (int32_t)omp_get_thread_num();
#pragma omp for schedule(dynamic, 1)
        for (int64_t task = 0; task < tasks; ++task)
            fn(arg, task, thread);
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
