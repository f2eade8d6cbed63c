/* Convolution engines against a plain double reference. */
#include "conv_case.h"

#include "kernel/bf16.h"
#include "kernel/convert.h"

#include <stdlib.h>
#include <string.h>

/* images, height, width, in, -, -, out, kernel_height, kernel_width, stride, padding, type */
static const hni_conv geometries[] = {
    {2, 8, 8, 16, 0, 0, 16, 3, 3, 1, 1, HN_F32},   {3, 32, 32, 3, 0, 0, 16, 3, 3, 1, 1, HN_F32},
    {2, 9, 7, 5, 0, 0, 6, 3, 3, 1, 0, HN_F32},     {2, 8, 8, 16, 0, 0, 32, 3, 3, 2, 1, HN_F32},
    {2, 9, 11, 4, 0, 0, 3, 3, 3, 2, 1, HN_F32},    {35, 5, 6, 2, 0, 0, 3, 3, 3, 1, 2, HN_F32},
    {2, 6, 5, 3, 0, 0, 4, 3, 3, 1, 3, HN_F32},     {4, 7, 6, 10, 0, 0, 20, 1, 1, 1, 0, HN_F32},
    {4, 7, 6, 10, 0, 0, 20, 1, 1, 2, 0, HN_F32},   {1, 5, 5, 2, 0, 0, 3, 1, 1, 1, 1, HN_F32},
    {2, 12, 10, 3, 0, 0, 8, 5, 5, 1, 2, HN_F32},   {2, 13, 10, 3, 0, 0, 8, 5, 5, 3, 1, HN_F32},
    {2, 30, 26, 3, 0, 0, 12, 7, 7, 2, 3, HN_F32},  {1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 0, HN_F32},
    {1, 6, 6, 1, 0, 0, 1, 3, 3, 1, 1, HN_F32},     {1, 3, 3, 7, 0, 0, 5, 3, 3, 1, 0, HN_F32},
    {1, 2, 2, 3, 0, 0, 2, 5, 5, 2, 3, HN_F32},     {2, 9, 8, 3, 0, 0, 4, 3, 1, 1, 1, HN_F32},
    {2, 9, 8, 3, 0, 0, 4, 2, 4, 2, 1, HN_F32},     {40, 8, 8, 64, 0, 0, 64, 3, 3, 1, 1, HN_F32},
    {1, 4, 4, 200, 0, 0, 150, 3, 3, 1, 1, HN_F32}, {2, 9, 9, 2, 0, 0, 2, 2, 2, 4, 0, HN_F32},
};
enum { GEOMETRIES = sizeof geometries / sizeof geometries[0] };

/* n values of the geometry's type, to be freed. */
static void *typed(const hni_conv *g, const float *x, int64_t n)
{
    void *t = hnt_alloc((size_t)n * sizeof(float));
    hni_convert(1, n, HN_F32, x, g->dtype, t);
    return t;
}

/* Back into the floats x; frees t. */
static void take_back(const hni_conv *g, void *t, float *x, int64_t n)
{
    hni_convert(1, n, g->dtype, t, HN_F32, x);
    free(t);
}

/* What remains of floats in the geometry's type. */
static void round_to_type(const hni_conv *g, float *x, int64_t n)
{
    take_back(g, typed(g, x, n), x, n);
}

/* Counts its calls for each part and doubles the rows, as somebody might who owns the array. */
typedef struct doubling {
    const hni_conv *g;
    void *rows;
    int calls[64];
} doubling;

static void double_rows(void *arg, int64_t part, int64_t first, int64_t count, int32_t thread)
{
    doubling *d = arg;
    (void)thread;
    ck_assert_int_lt(part, 64);
    d->calls[part]++;
    ck_assert_int_eq(first, part * hni_conv_part_images(d->g) * d->g->out_height * d->g->out_width);
    for (int64_t i = first * d->g->out; i < (first + count) * d->g->out; ++i)
        if (d->g->dtype == HN_BF16)
            ((hni_bf16 *)d->rows)[i] = hni_to_bf16(2.0f * hni_from_bf16(((hni_bf16 *)d->rows)[i]));
        else
            ((float *)d->rows)[i] *= 2.0f;
}

static void check_calls(const doubling *d)
{
    ck_assert_int_le(hni_conv_part_count(d->g), 64);
    for (int64_t part = 0; part < hni_conv_part_count(d->g); ++part)
        ck_assert_int_eq(d->calls[part], 1);
}

typedef struct conv_result {
    float *y, *dx, *dw, *dw_alone, *dx_alone;
} conv_result;

/* visits: y is doubled after it was made, dy before it is used. */
static conv_result run_conv(const hni_conv_engine *engine, const hni_conv *g, int32_t threads, bool visits,
                            int64_t images_before)
{
    float *xf = hnt_normals(1, hnt_count_x(g)), *w = hnt_normals(2, hnt_count_w(g)),
          *dyf = hnt_normals(3, hnt_count_y(g));
    conv_result r = {hnt_normals(4, hnt_count_y(g)), hnt_normals(5, hnt_count_x(g)), hnt_normals(6, hnt_count_w(g)),
                     hnt_normals(6, hnt_count_w(g)), hnt_normals(7, hnt_count_x(g))};
    void *x = typed(g, xf, hnt_count_x(g)), *dy = typed(g, dyf, hnt_count_y(g)), *y = typed(g, r.y, hnt_count_y(g));
    void *dx = typed(g, r.dx, hnt_count_x(g)), *dx_alone = typed(g, r.dx_alone, hnt_count_x(g));
    hn_context *context = hnt_context(threads);
    doubling d[2] = {{.g = g, .rows = y}, {.g = g, .rows = dy}};
    const hni_conv_visit after = {double_rows, &d[0]}, before = {double_rows, &d[1]};
    size_t bytes;
    if (images_before > 0) {
        hni_conv before_g = *g;
        before_g.images = images_before;
        hnt_ok(engine->prepare(context, threads, &before_g, true, &bytes));
    }
    hnt_ok(engine->prepare(context, threads, g, true, &bytes));
    hn_scratch scratch = hnt_scratch(bytes);
    memset(scratch.data, 0xff, scratch.size); /* NaN: nothing may be taken for cleared */
    hnt_ok(engine->forward(context, threads, g, x, w, y, scratch.data, visits ? &after : NULL));
    hnt_ok(engine->backward(context, threads, g, x, w, dy, dx, r.dw, scratch.data, visits ? &before : NULL));
    hnt_ok(engine->backward(context, threads, g, x, w, dy, NULL, r.dw_alone, scratch.data, NULL));
    hnt_ok(engine->backward(context, threads, g, x, w, dy, dx_alone, NULL, scratch.data, NULL));
    hn_context_destroy(context);
    if (visits) {
        check_calls(&d[0]);
        check_calls(&d[1]);
    }
    take_back(g, y, r.y, hnt_count_y(g));
    take_back(g, dx, r.dx, hnt_count_x(g));
    take_back(g, dx_alone, r.dx_alone, hnt_count_x(g));
    void *all[] = {xf, w, dyf, x, dy, scratch.data};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; ++i)
        free(all[i]);
    return r;
}

static void free_conv(conv_result *r)
{
    free(r->y);
    free(r->dx);
    free(r->dw);
    free(r->dw_alone);
    free(r->dx_alone);
}

/* The case in f32 or bf16; false if the engine does not compute it. */
static bool geometry_of(int index, int32_t dtype, const hni_conv_engine *engine, hni_conv *g)
{
    *g = geometries[index];
    g->dtype = dtype;
    ck_assert(hni_conv_fit(g));
    return engine->takes(g);
}

static const int32_t dtypes[] = {HN_F32, HN_BF16};

static void check_engine(const hni_conv_engine *engine, const hni_conv *g, bool visits)
{
    float *xf = hnt_normals(1, hnt_count_x(g)), *wf = hnt_normals(2, hnt_count_w(g)),
          *dyf = hnt_normals(3, hnt_count_y(g));
    float *start = hnt_normals(6, hnt_count_w(g));
    round_to_type(g, xf, hnt_count_x(g));
    round_to_type(g, wf, hnt_count_w(g));
    round_to_type(g, dyf, hnt_count_y(g));
    double *x = hnt_doubles(xf, hnt_count_x(g)), *w = hnt_doubles(wf, hnt_count_w(g)),
           *dy = hnt_doubles(dyf, hnt_count_y(g));
    double *y = hnt_doubles(NULL, hnt_count_y(g)), *dx = hnt_doubles(NULL, hnt_count_x(g)),
           *dw = hnt_doubles(start, hnt_count_w(g));
    for (int64_t i = 0; i < hnt_count_y(g) && visits; ++i)
        dy[i] *= 2.0;
    hnt_conv_reference(g, x, w, dy, y, dx, dw);
    for (int64_t i = 0; i < hnt_count_y(g) && visits; ++i)
        y[i] *= 2.0;
    conv_result r = run_conv(engine, g, 1, visits, 0);
    const double rounding = g->dtype == HN_BF16 ? 4e-3 : 3e-6; /* of y and dx; sums are f32 in any case */
    hnt_close_fd("y", r.y, y, hnt_count_y(g), rounding);
    hnt_close_fd("dx", r.dx, dx, hnt_count_x(g), rounding);
    hnt_close_fd("dw", r.dw, dw, hnt_count_w(g), 3e-6);
    hnt_close_fd("dw without dx", r.dw_alone, dw, hnt_count_w(g), 3e-6);
    hnt_close_fd("dx without dw", r.dx_alone, dx, hnt_count_x(g), rounding);
    free_conv(&r);
    void *all[] = {xf, wf, dyf, start, x, w, dy, y, dx, dw};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; ++i)
        free(all[i]);
}

START_TEST(engine_agrees_with_reference)
{
    const hni_conv_engine *engine;
    hni_conv g;
    for (int e = 0; (engine = hni_conv_engine_at(e)) != NULL; ++e)
        for (int t = 0; t < 2; ++t)
            if (geometry_of(_i, dtypes[t], engine, &g)) {
                check_engine(engine, &g, false);
                check_engine(engine, &g, true);
            }
}
END_TEST

/* <dy, conv(x, w)> = <dx, x> = <dw, w>: convolution is linear in both. */
START_TEST(engine_is_adjoint)
{
    const hni_conv_engine *engine;
    for (int e = 0; (engine = hni_conv_engine_at(e)) != NULL; ++e) {
        hni_conv g = geometries[_i];
        ck_assert(hni_conv_fit(&g));
        if (!engine->takes(&g))
            continue;
        float *x = hnt_normals(1, hnt_count_x(&g)), *w = hnt_normals(2, hnt_count_w(&g)),
              *dy = hnt_normals(3, hnt_count_y(&g));
        float *y = hnt_floats(hnt_count_y(&g)), *dx = hnt_floats(hnt_count_x(&g)), *dw = hnt_floats(hnt_count_w(&g));
        hn_context *context = hnt_context(2);
        size_t bytes;
        hnt_ok(engine->prepare(context, 2, &g, true, &bytes));
        hn_scratch scratch = hnt_scratch(bytes);
        hnt_ok(engine->forward(context, 2, &g, x, w, y, scratch.data, NULL));
        memcpy(dy, y, (size_t)hnt_count_y(&g) * sizeof *y); /* so that the product is large */
        hnt_ok(engine->backward(context, 2, &g, x, w, dy, dx, dw, scratch.data, NULL));
        hn_context_destroy(context);
        const double want = hnt_dot(dy, y, hnt_count_y(&g));
        hnt_close_d("<dx, x>", hnt_dot(dx, x, hnt_count_x(&g)), want, 1e-5);
        hnt_close_d("<dw, w>", hnt_dot(dw, w, hnt_count_w(&g)), want, 1e-5);
        void *all[] = {x, w, dy, y, dx, dw, scratch.data};
        for (size_t i = 0; i < sizeof all / sizeof all[0]; ++i)
            free(all[i]);
    }
}
END_TEST

START_TEST(engine_bits_do_not_depend_on_threads)
{
    const hni_conv_engine *engine;
    hni_conv g;
    for (int e = 0; (engine = hni_conv_engine_at(e)) != NULL; ++e)
        for (int t = 0; t < 2; ++t) {
            if (!geometry_of(_i, dtypes[t], engine, &g))
                continue;
            conv_result one = run_conv(engine, &g, 1, true, 0);
            for (int32_t threads = 2; threads <= 3; ++threads) {
                conv_result r = run_conv(engine, &g, threads, true, 0);
                ck_assert_mem_eq(r.y, one.y, (size_t)hnt_count_y(&g) * 4);
                ck_assert_mem_eq(r.dx, one.dx, (size_t)hnt_count_x(&g) * 4);
                ck_assert_mem_eq(r.dw, one.dw, (size_t)hnt_count_w(&g) * 4);
                ck_assert_mem_eq(r.dw_alone, one.dw_alone, (size_t)hnt_count_w(&g) * 4);
                free_conv(&r);
            }
            free_conv(&one);
        }
}
END_TEST

/* Whose images come in batches of many sizes. */
static const hni_conv batched[] = {
    {33, 56, 2, 4, 0, 0, 3, 7, 7, 1, 3, HN_F32},    {33, 2, 56, 7, 0, 0, 3, 7, 7, 1, 3, HN_F32},
    {33, 16, 28, 96, 0, 0, 17, 7, 7, 1, 4, HN_F32}, {33, 4, 3, 3, 0, 0, 1, 7, 7, 1, 4, HN_F32},
    {33, 2, 16, 256, 0, 0, 1, 3, 3, 1, 2, HN_F32},  {33, 8, 8, 16, 0, 0, 16, 3, 3, 1, 1, HN_F32},
};
enum { BATCHED = sizeof batched / sizeof batched[0] };

/* What an engine keeps of a batch of 20 images does nothing to one of 33, whose last part has one image, as have all parts of
 * the first. Of these geometries oneDNN orders the weights otherwise for one image than for two.                         */
START_TEST(other_batches_do_not_change_bits)
{
    const hni_conv_engine *engine;
    for (int e = 0; (engine = hni_conv_engine_at(e)) != NULL; ++e)
        for (int t = 0; t < 2; ++t)
            for (int i = 0; i < BATCHED; ++i) {
                hni_conv g = batched[i];
                g.dtype = dtypes[t];
                ck_assert(hni_conv_fit(&g));
                if (!engine->takes(&g))
                    continue;
                conv_result alone = run_conv(engine, &g, 1, false, 0), after = run_conv(engine, &g, 1, false, 20);
                ck_assert_mem_eq(after.y, alone.y, (size_t)hnt_count_y(&g) * 4);
                ck_assert_mem_eq(after.dx, alone.dx, (size_t)hnt_count_x(&g) * 4);
                ck_assert_mem_eq(after.dw, alone.dw, (size_t)hnt_count_w(&g) * 4);
                free_conv(&alone);
                free_conv(&after);
            }
}
END_TEST

static void check_memory(const hni_conv_engine *engine, hni_conv g, int32_t threads)
{
    size_t before = 0;
    hn_context *context = hnt_context(threads);
    for (g.images = 1; g.images <= 150; ++g.images) {
        size_t bytes;
        ck_assert(hni_conv_fit(&g));
        hnt_check(hni_conv_part_count(&g) <= hni_conv_part_bound(&g), "%d images have %d parts, more than %d",
                  (int)g.images, (int)hni_conv_part_count(&g), (int)hni_conv_part_bound(&g));
        if (!engine->takes(&g))
            break;
        hnt_ok(engine->prepare(context, threads, &g, true, &bytes));
        hnt_check(bytes >= before, "%s: %d images need %zu bytes, one less %zu", engine->name, (int)g.images, bytes,
                  before);
        before = bytes;
    }
    hn_context_destroy(context);
}

/* An executor gives a smaller batch the memory of the largest. */
START_TEST(fewer_images_need_no_more_memory)
{
    static const int32_t threads[] = {1, 4};
    const hni_conv_engine *engine;
    hni_conv g = _i < BATCHED ? batched[_i] : (hni_conv){1, 4, 4, 16, 0, 0, 16, 3, 3, 1, 1, HN_F32};
    for (int e = 0; (engine = hni_conv_engine_at(e)) != NULL; ++e)
        for (int t = 0; t < 4; ++t) {
            g.dtype = dtypes[t / 2];
            check_memory(engine, g, threads[t % 2]);
        }
}
END_TEST

/* A thread without a part has no memory, and what backward alone needs is not there at inference. */
START_TEST(memory_is_for_those_who_work)
{
    const hni_conv_engine *engine;
    for (int e = 0; (engine = hni_conv_engine_at(e)) != NULL; ++e)
        for (int d = 0; d < 2; ++d) {
            hn_context *context = hnt_context(2);
            hni_conv g = {1, 7, 7, 512, 0, 0, 512, 3, 3, 1, 1, dtypes[d]};
            size_t few, many, forward;
            ck_assert(hni_conv_fit(&g));
            if (engine->takes(&g)) {
                hnt_ok(engine->prepare(context, 4, &g, true, &few));
                hnt_ok(engine->prepare(context, 256, &g, true, &many));
                hnt_ok(engine->prepare(context, 4, &g, false, &forward));
                ck_assert_uint_eq(many, few);
                ck_assert_msg(few - forward >= sizeof(float) * 9 * 512 * 512, "%s: %zu bytes, %zu without backward",
                              engine->name, few, forward);
            }
            hn_context_destroy(context);
        }
}
END_TEST

START_TEST(kernel_must_fit)
{
    hni_conv g = {1, 4, 2, 1, 0, 0, 1, 5, 3, 1, 0, HN_F32};
    ck_assert(!hni_conv_fit(&g));
    g.padding = 1;
    ck_assert(hni_conv_fit(&g));
    ck_assert_int_eq(g.out_height, 2);
    ck_assert_int_eq(g.out_width, 2);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("conv");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_loop_test(unit, engine_agrees_with_reference, 0, GEOMETRIES);
    tcase_add_test(unit, kernel_must_fit);
    tcase_add_loop_test(unit, fewer_images_need_no_more_memory, 0, BATCHED + 1);
    tcase_add_test(unit, memory_is_for_those_who_work);
    tcase_add_loop_test(hnt_case(s, "grad"), engine_is_adjoint, 0, GEOMETRIES);
    tcase_add_loop_test(hnt_case(s, "repro"), engine_bits_do_not_depend_on_threads, 0, GEOMETRIES);
    tcase_add_test(hnt_case(s, "repro"), other_batches_do_not_change_bits);
    return s;
}

HNT_MAIN(suite)
