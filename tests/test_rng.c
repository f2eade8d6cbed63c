/* Random numbers: Philox's known answers, the sequences that are part of the ABI, uniformity, independence of streams. */
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Known answers of Philox 4x32-10 from the Random123 distribution (kat_vectors). */
START_TEST(philox_known_answers)
{
    hn_rng rng;
    hn_rng_seed(&rng, 0, 0);
    ck_assert_uint_eq(hn_rng_u64(&rng), 0xe169c58d6627e8d5u);
    ck_assert_uint_eq(hn_rng_u64(&rng), 0x9b00dbd8bc57ac4cu);
    hn_rng_seed(&rng, UINT64_MAX, UINT64_MAX);
    rng.opaque[1] = UINT64_MAX; /* the block counter */
    ck_assert_uint_eq(hn_rng_u64(&rng), 0x41c83b0e408f276du);
    ck_assert_uint_eq(hn_rng_u64(&rng), 0x6d5451fda20bc7c6u);
    /* counter 243f6a88 85a308d3 13198a2e 03707344, key a4093822 299f31d0 */
    hn_rng_seed(&rng, 0x299f31d0a4093822u, 0x0370734413198a2eu);
    rng.opaque[1] = 0x85a308d3243f6a88u;
    ck_assert_uint_eq(hn_rng_u64(&rng), 0x94fdccebd16cfe09u);
    ck_assert_uint_eq(hn_rng_u64(&rng), 0x24126ea15001e420u);
}
END_TEST

/* Recorded when the sequences were frozen. */
START_TEST(sequences_are_frozen)
{
    hn_rng rng, derived;
    hn_rng_seed(&rng, 1, 2);
    hn_rng_derive(&derived, &rng, "augment", 3);
    int64_t order[6] = {0, 1, 2, 3, 4, 5};
    uint64_t first = hn_rng_u64(&rng), below = hn_rng_below(&rng, 1000), other = hn_rng_u64(&derived);
    double uniform = hn_rng_uniform(&rng), normal = hn_rng_normal(&rng);
    hn_rng_shuffle(&rng, order, 6);
    char text[200];
    snprintf(text, sizeof text, "%016llx %llu %016llx %.9f %.9f %d%d%d%d%d%d", (unsigned long long)first,
             (unsigned long long)below, (unsigned long long)other, uniform, normal, (int)order[0], (int)order[1],
             (int)order[2], (int)order[3], (int)order[4], (int)order[5]);
    ck_assert_str_eq(text, "8cedc5d3e73404cf 966 20bc89dc4a4bc59c 0.855540295 -0.203541798 053214");
}
END_TEST

START_TEST(derivation_forgets_what_was_drawn)
{
    hn_rng a, b, x, y;
    hn_rng_seed(&a, 5, 6);
    b = a;
    (void)hn_rng_u64(&b);
    hn_rng_derive(&x, &a, "p", 1);
    hn_rng_derive(&y, &b, "p", 1);
    ck_assert_uint_eq(hn_rng_u64(&x), hn_rng_u64(&y));
    hn_rng_derive(&a, &a, "p", 1);
    (void)hn_rng_u64(&a);
    ck_assert_uint_eq(hn_rng_u64(&a), hn_rng_u64(&x));
    ck_assert_uint_eq(hn_rng_below(&a, 0), 0);
}
END_TEST

START_TEST(below_is_uniform)
{
    enum { CELLS = 13, DRAWS = 130000 };
    hn_rng rng;
    int64_t count[CELLS] = {0};
    hn_rng_seed(&rng, 11, 0);
    for (int i = 0; i < DRAWS; ++i)
        count[hn_rng_below(&rng, CELLS)]++;
    double chi = 0, expected = (double)DRAWS / CELLS;
    for (int i = 0; i < CELLS; ++i)
        chi += pow((double)count[i] - expected, 2) / expected;
    ck_assert_double_lt(chi, 32.9); /* 12 degrees of freedom, p = 0.001 */
}
END_TEST

START_TEST(normal_has_its_moments)
{
    enum { N = 200000 };
    static float x[N];
    double m1 = 0, m2 = 0, m4 = 0;
    hn_rng rng;
    hn_rng_seed(&rng, 3, 0);
    hn_rng_fill_normal(&rng, x, N, 0.0f, 1.0f);
    for (int i = 0; i < N; ++i) {
        double v = (double)x[i];
        m1 += v / N;
        m2 += v * v / N;
        m4 += v * v * v * v / N;
    }
    ck_assert_double_lt(fabs(m1), 0.01);
    ck_assert_double_lt(fabs(m2 - 1), 0.02);
    ck_assert_double_lt(fabs(m4 - 3), 0.15);
    hn_rng_fill_uniform(&rng, x, N, -2.0f, 3.0f);
    for (int i = 0; i < N; ++i)
        ck_assert(x[i] >= -2.0f && x[i] < 3.0f);
}
END_TEST

START_TEST(neighbouring_streams_are_uncorrelated)
{
    enum { N = 50000 };
    hn_rng root, a, b;
    hn_rng_seed(&root, 0, 0);
    double worst = 0;
    for (uint64_t k = 0; k < 8; ++k) {
        double sum = 0;
        hn_rng_derive(&a, &root, "s", k);
        hn_rng_derive(&b, &root, "s", k + 1);
        for (int i = 0; i < N; ++i)
            sum += (hn_rng_uniform(&a) - 0.5) * (hn_rng_uniform(&b) - 0.5);
        double correlation = fabs(sum / N * 12);
        worst = correlation > worst ? correlation : worst;
    }
    ck_assert_double_lt(worst, 0.02); /* 4.5 standard errors */
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("rng");
    TCase *golden = hnt_case(s, "golden"), *property = hnt_case(s, "property");
    tcase_add_test(hnt_case(s, "unit"), derivation_forgets_what_was_drawn);
    tcase_add_test(golden, philox_known_answers);
    tcase_add_test(golden, sequences_are_frozen);
    tcase_add_test(property, below_is_uniform);
    tcase_add_test(property, normal_has_its_moments);
    tcase_add_test(property, neighbouring_streams_are_uncorrelated);
    return s;
}

HNT_MAIN(suite)
