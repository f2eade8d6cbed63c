/* parallel.h -- fixed tasks on a number of threads; the only place that knows OpenMP. */
#ifndef HNI_PARALLEL_H
#define HNI_PARALLEL_H

#include <stdint.h>

/* The most threads that a context or a call may ask for. */
enum { HNI_MAX_THREADS = 1024 };

/* thread: 0 .. num_threads-1, for per-thread scratch; results must depend on task alone. */
typedef void (*hni_task_fn)(void *arg, int64_t task, int32_t thread);

/* Runs fn for every task in [0, tasks), on at most num_threads threads (at least one). Each begins with a range of tasks of
 * its own (above 64 threads some share one), and then takes from the others'.
 * BLAS calls made by fn stay on their thread (OpenMP builds of BLAS). The partition into tasks must not depend on
 * num_threads: that is what keeps results equal for any number of threads.                                          */
void hni_parallel(int32_t num_threads, int64_t tasks, hni_task_fn fn, void *arg);

/* Threads OpenMP would use by default, at most HNI_MAX_THREADS; 1 without OpenMP. */
int32_t hni_default_threads(void);

#endif
