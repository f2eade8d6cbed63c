/* Weights in another order, and sums of such gradients back in theirs, number by number. */
#include "support.h"

#include "kernel/weight_order.h"

#include <math.h>

enum { OUT = 3, IN = 2, TAPS = 4, COUNT = OUT * IN * TAPS };

static const hni_weight_order orders[] = {
    {OUT, IN, TAPS, IN *TAPS, TAPS, 1, false}, {OUT, IN, TAPS, 1, OUT, IN *OUT, false},
    {OUT, IN, TAPS, TAPS *IN, 1, IN, false},   {OUT, IN, TAPS, IN, 1, IN *OUT, true},
    {OUT, IN, TAPS, 1, TAPS *OUT, OUT, true},
};

static int64_t place(const hni_weight_order *o, int64_t out, int64_t in, int64_t tap)
{
    return out * o->out_stride + in * o->in_stride + (o->turned ? TAPS - 1 - tap : tap) * o->tap_stride;
}

START_TEST(every_weight_goes_to_its_place)
{
    const hni_weight_order *o = &orders[_i];
    float w[COUNT], packed[COUNT];
    for (int i = 0; i < COUNT; ++i)
        w[i] = (float)(i + 1);
    for (int32_t threads = 1; threads <= 3; ++threads) {
        for (int i = 0; i < COUNT; ++i) /* or the call before would have written what this one should */
            packed[i] = NAN;
        hni_weights_pack(threads, o, w, packed);
        for (int64_t out = 0; out < OUT; ++out)
            for (int64_t in = 0; in < IN; ++in)
                for (int64_t t = 0; t < TAPS; ++t)
                    ck_assert(packed[place(o, out, in, t)] == w[(out * IN + in) * TAPS + t]);
    }
}
END_TEST

START_TEST(gradients_are_added_where_they_belong)
{
    const hni_weight_order *o = &orders[_i];
    float packed[COUNT], dw[COUNT];
    for (int i = 0; i < COUNT; ++i) {
        packed[i] = (float)(i + 1);
        dw[i] = 0.5f;
    }
    hni_weights_add(2, o, packed, dw);
    for (int64_t out = 0; out < OUT; ++out)
        for (int64_t in = 0; in < IN; ++in)
            for (int64_t t = 0; t < TAPS; ++t)
                ck_assert(dw[(out * IN + in) * TAPS + t] == 0.5f + packed[place(o, out, in, t)]);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("weight_order");
    TCase *unit = hnt_case(s, "unit");
    const int count = (int)(sizeof orders / sizeof orders[0]);
    tcase_add_loop_test(unit, every_weight_goes_to_its_place, 0, count);
    tcase_add_loop_test(unit, gradients_are_added_where_they_belong, 0, count);
    return s;
}

HNT_MAIN(suite)
