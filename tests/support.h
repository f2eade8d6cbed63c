/* support.h -- what all tests share: comparisons that fail loudly, random data, temporary files, counting allocators. */
#ifndef HNT_SUPPORT_H
#define HNT_SUPPORT_H

#include <check.h>
#include <hybridnet.h>

/* main() of a test program: runs the suite; exit status 1 if a case failed. Cases carry a tag (CTest label). */
#define HNT_MAIN(suite_function)             \
    int main(void)                           \
    {                                        \
        return hnt_run(suite_function());    \
    }
int hnt_run(Suite *suite);

/* A test case with a tag ("unit", "grad", "golden", "property", "oom", "repro") and a timeout that a slow machine
 * under a sanitizer does not reach.                                                                                 */
TCase *hnt_case(Suite *suite, const char *tag);

/* |got - want| <= rtol * scale, where scale is the largest |want|: a zero gradient fails, rounding noise near zero does
 * not. NaN fails. Prints the worst index, both values and how many of n failed.                                        */
void hnt_close_f(const char *what, const float *got, const float *want, int64_t n, double rtol);
void hnt_close_fd(const char *what, const float *got, const double *want, int64_t n, double rtol);
void hnt_close_d(const char *what, double got, double want, double rtol);

/* Status checks that print the library's sentence. hnt_fails also wants the sentence to hold a text. */
#define hnt_ok(expression) hnt_ok_(__FILE__, __LINE__, #expression, (expression))
#define hnt_fails(expression, status, text) hnt_fails_(__FILE__, __LINE__, #expression, (expression), (status), (text))
void hnt_ok_(const char *file, int line, const char *text, hn_status status);
void hnt_fails_(const char *file, int line, const char *expression, hn_status got, hn_status want, const char *sentence);

/* ck_assert_msg for inner loops: at every assertion that holds Check writes the place to a file and flushes it, and a million
 * of those are seconds.                                                                                               */
#define hnt_check(condition, ...)      \
    do {                               \
        if (!(condition))              \
            ck_abort_msg(__VA_ARGS__); \
    } while (0)

/* n normal numbers from a fixed stream; each (seed) its own. */
void hnt_normal(uint64_t seed, float *x, int64_t n);
/* calloc that fails the test instead of returning NULL. */
void *hnt_alloc(size_t bytes);

/* 64-byte aligned scratch of the given bytes; release with free(scratch.data). */
hn_scratch hnt_scratch(size_t bytes);

/* A context on this many threads. */
hn_context *hnt_context(int32_t threads);

/* An allocator that counts what is alive and fails at the k-th call (0-based; negative: never), or from there on. */
typedef struct hnt_counter {
    _Atomic int64_t calls, alive, alive_bytes, fail_at, failed; /* failed: how many have */
    _Atomic int for_good; /* 0: the call at fail_at alone */
} hnt_counter;
/* Context with that allocator; any of its threads may allocate. Start with a zeroed counter and fail_at set. */
hn_status hnt_counting_context(hn_context **out, hnt_counter *counter, int32_t threads);
/* From now on there is memory again, in a context of the above. Returns how many allocations have failed. */
int64_t hnt_memory_is_back(hn_context *context);

/* Every allocation that attempt makes fails once, the first one first, until it succeeds; then the same once more with all
 * that follow failing too. Each failure must be HN_E_NOMEM, and nothing may stay behind; at least `allocations` must have
 * failed. An attempt that goes on after a failure calls hnt_memory_is_back; one that the library's contract lets succeed in
 * spite of a failure returns HN_STOPPED then.                                                                           */
void hnt_survives(hn_status (*attempt)(hn_context *context, const void *arg), const void *arg, int64_t allocations);

/* Path of a fresh temporary directory in `path` (size bytes); removed at exit of the process. */
void hnt_temp_dir(char *path, size_t size);
/* A fresh temporary directory, and the path of a file in it. */
typedef struct hnt_place {
    char dir[256], file[512];
} hnt_place;
hnt_place hnt_new_place(const char *name);
/* Writes a file. */
void hnt_write_file(const char *path, const void *data, size_t size);

#endif
