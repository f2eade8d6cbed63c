#include "support.h"

#include "base/context.h"

#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What LLVM's OpenMP keeps of a thread that has ended is no leak of the library's. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libomp.so";
}

int hnt_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner), ran = srunner_ntests_run(runner);
    srunner_free(runner);
    if (ran == 0)
        fprintf(stderr, "no case carries the tag %s\n", getenv("CK_INCLUDE_TAGS"));
    return failed != 0 || ran == 0;
}

TCase *hnt_case(Suite *suite, const char *tag)
{
    TCase *tcase = tcase_create(tag);
    tcase_set_tags(tcase, tag);
    tcase_set_timeout(tcase, 600);
    suite_add_tcase(suite, tcase);
    return tcase;
}

static void compare(const char *what, const float *got, const float *want_f, const double *want_d, int64_t n,
                    double rtol)
{
    double scale = 0, worst = -1;
    int64_t worst_at = -1, failed = 0;
    for (int64_t i = 0; i < n; ++i) {
        double want = want_f != NULL ? (double)want_f[i] : want_d[i];
        if (fabs(want) > scale)
            scale = fabs(want);
    }
    for (int64_t i = 0; i < n; ++i) {
        double want = want_f != NULL ? (double)want_f[i] : want_d[i];
        double error = fabs((double)got[i] - want);
        int bad = !(error <= rtol * scale);
        failed += bad;
        if (bad && (!(error <= worst) || isnan(error))) {
            worst = error;
            worst_at = i;
        }
    }
    if (failed > 0) {
        double want = want_f != NULL ? (double)want_f[worst_at] : want_d[worst_at];
        ck_abort_msg("%s: %lld of %lld differ; worst at %lld: got %.9g, want %.9g (allowed %.3g x %.3g)", what,
                     (long long)failed, (long long)n, (long long)worst_at, (double)got[worst_at], want, rtol, scale);
    }
}

void hnt_close_f(const char *what, const float *got, const float *want, int64_t n, double rtol)
{
    compare(what, got, want, NULL, n, rtol);
}

void hnt_close_fd(const char *what, const float *got, const double *want, int64_t n, double rtol)
{
    compare(what, got, NULL, want, n, rtol);
}

void hnt_close_d(const char *what, double got, double want, double rtol)
{
    if (!(fabs(got - want) <= rtol * fabs(want)))
        ck_abort_msg("%s: got %.17g, want %.17g (relative error %.3g, allowed %.3g)", what, got, want,
                     fabs(got - want) / fabs(want), rtol);
}

void hnt_ok_(const char *file, int line, const char *text, hn_status status)
{
    if (status != HN_OK)
        ck_abort_msg("%s:%d: %s: %s: %s", file, line, text, hn_status_name(status), hn_last_error());
}

void hnt_fails_(const char *file, int line, const char *expression, hn_status got, hn_status want, const char *sentence)
{
    if (got != want)
        ck_abort_msg("%s:%d: %s: got %s (%s), want %s", file, line, expression, hn_status_name(got), hn_last_error(),
                     hn_status_name(want));
    if (strstr(hn_last_error(), sentence) == NULL)
        ck_abort_msg("%s:%d: %s: the sentence is \"%s\", it lacks \"%s\"", file, line, expression, hn_last_error(),
                     sentence);
    if (want == HN_E_NOMEM && strstr(hn_last_error(), "(0 bytes)") != NULL)
        ck_abort_msg("%s:%d: %s: the sentence is \"%s\": of how many?", file, line, expression, hn_last_error());
}

void hnt_normal(uint64_t seed, float *x, int64_t n)
{
    hn_rng rng;
    hn_rng_seed(&rng, seed, 77);
    hn_rng_fill_normal(&rng, x, (size_t)n, 0.0f, 1.0f);
}

void *hnt_alloc(size_t bytes)
{
    void *p = calloc(1, bytes == 0 ? 1 : bytes);
    ck_assert_ptr_nonnull(p);
    return p;
}

hn_scratch hnt_scratch(size_t bytes)
{
    size_t rounded = (bytes + 127) & ~(size_t)63;
    hn_scratch s = {aligned_alloc(64, rounded), bytes};
    ck_assert_ptr_nonnull(s.data);
    return s;
}

/* The engine that the environment variable HNT_ENGINE names; CTest runs some tests once with each. */
static int32_t engine_asked_for(void)
{
    const char *name = getenv("HNT_ENGINE");
    int32_t engine = HN_ENGINE_AUTO;
    while (name != NULL && strcmp(hn_engine_name(engine), name) != 0)
        ck_assert_msg(hn_engine_name(++engine) != NULL, "HNT_ENGINE is %s", name);
    return engine;
}

hn_context *hnt_context(int32_t threads)
{
    hn_context_options o;
    hn_context_options_init(&o, sizeof o);
    o.num_threads = threads;
    o.engine = engine_asked_for();
    hn_context *context = NULL;
    hnt_ok(hn_context_create(&context, &o));
    return context;
}

static void *counting_alloc(void *user, size_t size, size_t align)
{
    hnt_counter *counter = user;
    const int64_t call = counter->calls++, fail_at = counter->fail_at;
    if (call == fail_at || (counter->for_good && fail_at >= 0 && call > fail_at)) {
        counter->failed++;
        return NULL;
    }
    void *p = aligned_alloc(align, size);
    if (p != NULL) {
        memset(p, 0xa5, size); /* nothing may rely on fresh memory being zero */
        counter->alive++;
        counter->alive_bytes += (int64_t)size;
    }
    return p;
}

static void counting_release(void *user, void *ptr, size_t size)
{
    hnt_counter *counter = user;
    counter->alive--;
    counter->alive_bytes -= (int64_t)size;
    free(ptr);
}

hn_status hnt_counting_context(hn_context **out, hnt_counter *counter, int32_t threads)
{
    hn_allocator allocator = {sizeof allocator, counting_alloc, counting_release, counter};
    hn_context_options o;
    hn_context_options_init(&o, sizeof o);
    o.num_threads = threads;
    o.engine = engine_asked_for();
    o.allocator = &allocator;
    return hn_context_create(out, &o);
}

int64_t hnt_memory_is_back(hn_context *context)
{
    hnt_counter *counter = context->allocator.user;
    counter->fail_at = -1;
    return counter->failed;
}

static void survives(hn_status (*attempt)(hn_context *context, const void *arg), const void *arg, int64_t allocations,
                     int for_good)
{
    hn_status status = HN_E_NOMEM;
    for (int64_t fail_at = 1; status != HN_OK; ++fail_at) { /* 0 is the context's own */
        hnt_counter counter = {.fail_at = fail_at, .for_good = for_good};
        hn_context *context = NULL;
        hnt_ok(hnt_counting_context(&context, &counter, 1));
        status = attempt(context, arg);
        if (status != HN_OK && status != HN_STOPPED)
            hnt_fails(status, HN_E_NOMEM, "out of memory");
        ck_assert_int_eq(status != HN_OK, counter.failed > 0);
        hn_context_destroy(context);
        ck_assert_int_eq(counter.alive, 0);
        ck_assert_int_eq(counter.alive_bytes, 0);
        ck_assert_int_lt(fail_at, 5000);
        ck_assert(status != HN_OK || fail_at > allocations);
    }
}

void hnt_survives(hn_status (*attempt)(hn_context *context, const void *arg), const void *arg, int64_t allocations)
{
    survives(attempt, arg, allocations, 0);
    survives(attempt, arg, allocations, 1);
}

static char temp_dir[256];
static pid_t temp_owner;

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

static void remove_temp_dir(void)
{
    if (temp_owner == getpid())
        nftw(temp_dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

void hnt_temp_dir(char *path, size_t size)
{
    const char *base = getenv("TMPDIR");
    remove_temp_dir(); /* of a test before, when tests share a process */
    snprintf(temp_dir, sizeof temp_dir, "%s/hybridnet-test-XXXXXX", base != NULL ? base : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(temp_dir));
    temp_owner = getpid();
    atexit(remove_temp_dir);
    snprintf(path, size, "%s", temp_dir);
}

hnt_place hnt_new_place(const char *name)
{
    hnt_place p;
    hnt_temp_dir(p.dir, sizeof p.dir);
    snprintf(p.file, sizeof p.file, "%s/%s", p.dir, name);
    return p;
}

void hnt_write_file(const char *path, const void *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(data, 1, size, f), size);
    ck_assert_int_eq(fclose(f), 0);
}
