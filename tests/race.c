/* race.c -- shows that ThreadSanitizer sees what OpenMP's regions do (scripts/check tsan): with RACE=1 it must find the
 * sum that all threads add to, with RACE=0 nothing in sums of their own that are read when the region has ended.      */
#include "base/parallel.h"

#include <sched.h>
#include <stdatomic.h>

enum { THREADS = 4, ROUNDS = 20, PATIENCE = 1000000 };

typedef struct sums {
    int64_t sum[THREADS];
    atomic_int begun; /* relaxed, which orders nothing else */
} sums;

/* Waits until every thread is in a task, so that none of them runs them all. */
static void add(void *arg, int64_t task, int32_t thread)
{
    sums *s = arg;
    (void)atomic_fetch_add_explicit(&s->begun, 1, memory_order_relaxed);
    for (int i = 0; i < PATIENCE && atomic_load_explicit(&s->begun, memory_order_relaxed) % THREADS != 0; ++i)
        (void)sched_yield();
    s->sum[RACE ? 0 : thread] += task;
}

int main(void)
{
    sums s = {.begun = 0};
    int64_t sum = 0;
    for (int round = 0; round < ROUNDS; ++round) {
        hni_parallel(THREADS, THREADS, add, &s);
        for (int i = 0; i < THREADS; ++i)
            sum += s.sum[i];
    }
    return sum == 0; /* so that nothing is optimised away */
}
