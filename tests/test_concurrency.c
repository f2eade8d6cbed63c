/* Inside somebody else's program: several threads, forks, and a host with an OpenMP and a BLAS of its own. */
#include "hybrid_case.h"

#include <fenv.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef _OPENMP
#include <omp.h>
#endif

enum { ROWS = 24, CLASSES = HNT_HYBRID_CLASSES, DIM = 16, STEPS = 2, CALLERS = 8 };

/* ---- a training ----------------------------------------------------------------------------------------------------- */

/* A model, where it is trained, and what its last loss is. */
typedef struct training {
    uint64_t seed;
    int32_t threads;
    double loss;
} training;

static void *train(void *arg)
{
    training *t = arg;
    hn_context *context = hnt_context(t->threads);
    hn_hybrid *h = hnt_hybrid(context, ROWS, 0, NULL, t->seed);
    hn_tensor *images = hnt_hybrid_images(context, ROWS, t->seed);
    int32_t labels[ROWS];
    for (int i = 0; i < ROWS; ++i)
        labels[i] = i % CLASSES;
    const hn_batch batch = {.struct_size = sizeof batch, .images = images, .labels = labels, .n = ROWS};
    hn_hybrid_losses losses = {.struct_size = sizeof losses};
    for (int step = 0; step < STEPS; ++step)
        hnt_ok(hn_hybrid_step(h, &batch, &batch, 0.5, 0.05, &losses));
    t->loss = losses.loss;
    hn_tensor_destroy(images);
    hn_hybrid_destroy(h);
    hn_context_destroy(context);
    return NULL;
}

static void start(pthread_t *thread, void *(*run)(void *), void *arg)
{
    ck_assert_int_eq(pthread_create(thread, NULL, run, arg), 0);
}

START_TEST(two_threads_train_two_models)
{
    training alone[2] = {{1, 1, 0}, {2, 3, 0}}, together[2] = {{1, 1, 0}, {2, 3, 0}};
    pthread_t threads[2];
    for (int i = 0; i < 2; ++i)
        train(&alone[i]);
    ck_assert(alone[0].loss != alone[1].loss);
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 2; ++i)
            start(&threads[i], train, &together[i]);
        for (int i = 0; i < 2; ++i)
            pthread_join(threads[i], NULL);
        for (int i = 0; i < 2; ++i)
            ck_assert(memcmp(&alone[i].loss, &together[i].loss, sizeof(double)) == 0);
    }
}
END_TEST

/* ---- the pure losses ------------------------------------------------------------------------------------------------ */

typedef struct call {
    int32_t threads;
    int number;
    double loss;
    float gradient[ROWS * DIM];
    char sentence[256];
} call;

static void call_sc(call *c)
{
    float z[ROWS * DIM];
    int32_t labels[ROWS];
    hnt_normal(1, z, ROWS * DIM);
    for (int i = 0; i < ROWS; ++i)
        labels[i] = i % CLASSES;
    hn_loss_sc_options o;
    hn_loss_sc_options_init(&o, sizeof o);
    o.num_threads = c->threads;
    const hn_cmatf input = {z, ROWS, DIM, DIM};
    hn_matf gradient = {c->gradient, ROWS, DIM, DIM};
    size_t bytes = 0;
    hnt_ok(hn_loss_sc_scratch(&o, ROWS, DIM, &bytes));
    hn_scratch scratch = hnt_scratch(bytes);
    hnt_ok(hn_loss_sc(&o, &input, labels, &c->loss, NULL, &gradient, &scratch));
    free(scratch.data);
}

/* Each caller's failure has a sentence of its own, however many fail at once. */
static void fail_in_own_words(call *c)
{
    hn_loss_sc_options o;
    hn_loss_sc_options_init(&o, sizeof o);
    o.temperature = -(float)c->number;
    size_t bytes;
    ck_assert_int_eq(hn_loss_sc_scratch(&o, ROWS, DIM, &bytes), HN_E_ARG);
    snprintf(c->sentence, sizeof c->sentence, "%s", hn_last_error());
}

static void *call_often(void *arg)
{
    call *c = arg;
    for (int i = 0; i < 50; ++i) {
        call_sc(c);
        fail_in_own_words(c);
    }
    return NULL;
}

START_TEST(eight_threads_call_a_loss_at_once)
{
    static call alone, callers[CALLERS];
    pthread_t threads[CALLERS];
    char number[32];
    alone.threads = 1;
    call_sc(&alone);
    for (int i = 0; i < CALLERS; ++i) {
        callers[i] = (call){.threads = 1 + i % 3, .number = i + 1};
        start(&threads[i], call_often, &callers[i]);
    }
    for (int i = 0; i < CALLERS; ++i)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < CALLERS; ++i) {
        ck_assert(memcmp(&alone.loss, &callers[i].loss, sizeof(double)) == 0);
        ck_assert(memcmp(alone.gradient, callers[i].gradient, sizeof alone.gradient) == 0);
        snprintf(number, sizeof number, "temperature is -%d;", i + 1);
        ck_assert_msg(strstr(callers[i].sentence, number) != NULL, "\"%s\" lacks \"%s\"", callers[i].sentence, number);
    }
}
END_TEST

/* ---- fork ----------------------------------------------------------------------------------------------------------- */

/* After a fork the child has one thread, and none of OpenMP's: the library works there with num_threads 1. */
#ifdef _OPENMP /* without, nothing keeps a BLAS from threads of its own, which a child has lost (docs/embedding.md) */
/* A step of TSC, whose assignment of targets is a matrix product large enough for a BLAS to share out. */
static double assign_targets(int32_t threads)
{
    enum { MANY = 128, WIDE = 96 };
    static float z[MANY * WIDE];
    static int32_t labels[MANY];
    hn_context *context = hnt_context(threads);
    hn_loss *loss = NULL;
    hn_loss_kcl_options o;
    hn_rng rng;
    hn_tensor *x = NULL, *dx = NULL;
    const hn_desc desc = {HN_F32, 2, {MANY, WIDE}};
    double value = 0;
    hn_rng_seed(&rng, 1, 0);
    hnt_normal(2, z, MANY * WIDE);
    for (int32_t i = 0; i < MANY; ++i)
        labels[i] = i;
    hn_loss_kcl_options_init(&o, sizeof o);
    o.target_weight = 1.0f;
    hnt_ok(hn_loss_create_kcl(&loss, context, MANY, WIDE, &o, 0));
    hnt_ok(hn_loss_init_params(loss, &rng));
    hnt_ok(hn_tensor_wrap(&x, context, z, &desc));
    hnt_ok(hn_tensor_create(&dx, context, &desc));
    hnt_ok(hn_loss_apply(loss, x, labels, 1.0f, &value, dx));
    hn_tensor_destroy(x);
    hn_tensor_destroy(dx);
    hn_loss_destroy(loss);
    hn_context_destroy(context);
    return value;
}
#endif

START_TEST(a_child_works_on_one_thread)
{
    training parent = {3, 2, 0}, child = {3, 1, 0};
    train(&parent); /* OpenMP's threads exist */
#ifdef _OPENMP
    const double targeted = assign_targets(2);
#endif
    const pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        train(&child);
        bool same = memcmp(&parent.loss, &child.loss, sizeof(double)) == 0;
#ifdef _OPENMP
        const double again = assign_targets(1);
        same = same && memcmp(&targeted, &again, sizeof(double)) == 0;
#endif
        _exit(same ? 0 : 1);
    }
    int status = -1;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with %d", status);
    training again = {3, 2, 0};
    train(&again);
    ck_assert(memcmp(&parent.loss, &again.loss, sizeof(double)) == 0);
}
END_TEST

/* ---- the host's settings -------------------------------------------------------------------------------------------- */

/* Of a BLAS that this program is linked with; absent in others. */
int openblas_get_num_threads(void) __attribute__((weak));
void openblas_set_num_threads(int threads) __attribute__((weak));
int bli_thread_get_num_threads(void) __attribute__((weak));

typedef struct settings {
    int blas, bli, rounding, omp_threads, omp_dynamic, omp_levels, omp_schedule, omp_chunk;
    sigset_t signals;
    char locale[64];
} settings;

static settings settings_now(void)
{
    settings s;
    memset(&s, 0, sizeof s);
    s.blas = openblas_get_num_threads != NULL ? openblas_get_num_threads() : 0;
    s.bli = bli_thread_get_num_threads != NULL ? bli_thread_get_num_threads() : 0;
    s.rounding = fegetround();
    pthread_sigmask(SIG_BLOCK, NULL, &s.signals);
    snprintf(s.locale, sizeof s.locale, "%s", setlocale(LC_ALL, NULL));
#ifdef _OPENMP
    omp_sched_t kind;
    s.omp_threads = omp_get_max_threads();
    s.omp_dynamic = omp_get_dynamic();
    s.omp_levels = omp_get_max_active_levels();
    omp_get_schedule(&kind, &s.omp_chunk);
    s.omp_schedule = (int)kind;
#endif
    return s;
}

START_TEST(settings_of_the_host_stay)
{
    training t = {4, 2, 0};
    if (openblas_set_num_threads != NULL)
        openblas_set_num_threads(2);
#ifdef _OPENMP
    omp_set_num_threads(3);
    omp_set_dynamic(0);
    omp_set_schedule(omp_sched_guided, 7);
#endif
    ck_assert_ptr_nonnull(setlocale(LC_ALL, "C"));
    const settings before = settings_now();
    train(&t);
    t.threads = 5;
    train(&t);
    const settings after = settings_now();
    ck_assert_msg(memcmp(&before, &after, sizeof before) == 0, "BLAS %d -> %d, OpenMP %d -> %d threads", before.blas,
                  after.blas, before.omp_threads, after.omp_threads);
}
END_TEST

#ifdef _OPENMP
/* The host is in a parallel region of its own when it calls. */
START_TEST(a_parallel_region_of_the_host_may_call)
{
    static call alone, callers[4];
    alone.threads = 1;
    call_sc(&alone);
#pragma omp parallel for num_threads(4)
    for (int i = 0; i < 4; ++i) {
        callers[i] = (call){.threads = 2};
        call_sc(&callers[i]);
    }
    for (int i = 0; i < 4; ++i) {
        ck_assert(memcmp(&alone.loss, &callers[i].loss, sizeof(double)) == 0);
        ck_assert(memcmp(alone.gradient, callers[i].gradient, sizeof alone.gradient) == 0);
    }
}
END_TEST
#endif

static Suite *suite(void)
{
    Suite *s = suite_create("concurrency");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, two_threads_train_two_models);
    tcase_add_test(unit, eight_threads_call_a_loss_at_once);
    tcase_add_test(unit, a_child_works_on_one_thread);
    tcase_add_test(unit, settings_of_the_host_stay);
#ifdef _OPENMP
    tcase_add_test(unit, a_parallel_region_of_the_host_may_call);
#endif
    return s;
}

HNT_MAIN(suite)
