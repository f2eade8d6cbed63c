/* Convolution engines against a plain double reference, and the layers made of them: convolution, batch norm, the conv
 * unit and the ReLU, through executors.                                                                               */
#include "support.h"

#include "kernel/bf16.h"
#include "kernel/conv.h"
#include "kernel/convert.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static float *normal(uint64_t seed, int64_t n)
{
    float *x = hnt_alloc((size_t)n * sizeof *x);
    hnt_normal(seed, x, n);
    return x;
}

static double *doubles(const float *x, int64_t n)
{
    double *d = hnt_alloc((size_t)n * sizeof *d);
    for (int64_t i = 0; i < n && x != NULL; ++i)
        d[i] = (double)x[i];
    return d;
}

static float *zeros(int64_t n)
{
    return hnt_alloc((size_t)n * sizeof(float));
}

/* ---- engines ----------------------------------------------------------------------------------------------------- */

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

static int64_t count_x(const hni_conv *g)
{
    return g->images * g->height * g->width * g->in;
}

static int64_t count_y(const hni_conv *g)
{
    return g->images * g->out_height * g->out_width * g->out;
}

static int64_t count_w(const hni_conv *g)
{
    return g->out * g->in * g->kernel_height * g->kernel_width;
}

/* One term, y(oy, ox, o) += w(o, i, ky, kx) x(iy, ix, i), from which y, dx and dw all come. Any of y, dx
 * and dw may be NULL; all are added to.                                                                               */
static void reference(const hni_conv *g, const double *x, const double *w, const double *dy, double *y, double *dx,
                      double *dw)
{
    const int64_t pixels = g->images * g->out_height * g->out_width, taps = g->kernel_height * g->kernel_width;
    for (int64_t p = 0; p < pixels; ++p)
        for (int64_t t = 0; t < taps; ++t) {
            const int64_t ox = p % g->out_width, row = p / g->out_width;
            const int64_t iy = row % g->out_height * g->stride - g->padding + t / g->kernel_width;
            const int64_t ix = ox * g->stride - g->padding + t % g->kernel_width;
            if (iy < 0 || iy >= g->height || ix < 0 || ix >= g->width)
                continue;
            const int64_t at = ((row / g->out_height * g->height + iy) * g->width + ix) * g->in;
            for (int64_t o = 0; o < g->out; ++o)
                for (int64_t i = 0; i < g->in; ++i) {
                    const int64_t weight = (o * g->in + i) * taps + t;
                    if (y != NULL)
                        y[p * g->out + o] += w[weight] * x[at + i];
                    if (dx != NULL)
                        dx[at + i] += w[weight] * dy[p * g->out + o];
                    if (dw != NULL)
                        dw[weight] += x[at + i] * dy[p * g->out + o];
                }
        }
}

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
static conv_result run_conv(const hni_conv_engine *engine, const hni_conv *g, int32_t threads, bool visits)
{
    float *xf = normal(1, count_x(g)), *w = normal(2, count_w(g)), *dyf = normal(3, count_y(g));
    conv_result r = {normal(4, count_y(g)), normal(5, count_x(g)), normal(6, count_w(g)), normal(6, count_w(g)),
                     normal(7, count_x(g))};
    void *x = typed(g, xf, count_x(g)), *dy = typed(g, dyf, count_y(g)), *y = typed(g, r.y, count_y(g));
    void *dx = typed(g, r.dx, count_x(g)), *dx_alone = typed(g, r.dx_alone, count_x(g));
    hn_context *context = hnt_context(threads);
    doubling d[2] = {{.g = g, .rows = y}, {.g = g, .rows = dy}};
    const hni_conv_visit after = {double_rows, &d[0]}, before = {double_rows, &d[1]};
    size_t bytes;
    hnt_ok(engine->prepare(context, threads, g, &bytes));
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
    take_back(g, y, r.y, count_y(g));
    take_back(g, dx, r.dx, count_x(g));
    take_back(g, dx_alone, r.dx_alone, count_x(g));
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
    float *xf = normal(1, count_x(g)), *wf = normal(2, count_w(g)), *dyf = normal(3, count_y(g));
    float *start = normal(6, count_w(g));
    round_to_type(g, xf, count_x(g));
    round_to_type(g, wf, count_w(g));
    round_to_type(g, dyf, count_y(g));
    double *x = doubles(xf, count_x(g)), *w = doubles(wf, count_w(g)), *dy = doubles(dyf, count_y(g));
    double *y = doubles(NULL, count_y(g)), *dx = doubles(NULL, count_x(g)), *dw = doubles(start, count_w(g));
    for (int64_t i = 0; i < count_y(g) && visits; ++i)
        dy[i] *= 2.0;
    reference(g, x, w, dy, y, dx, dw);
    for (int64_t i = 0; i < count_y(g) && visits; ++i)
        y[i] *= 2.0;
    conv_result r = run_conv(engine, g, 1, visits);
    const double rounding = g->dtype == HN_BF16 ? 4e-3 : 3e-6; /* of y and dx; sums are f32 in any case */
    hnt_close_fd("y", r.y, y, count_y(g), rounding);
    hnt_close_fd("dx", r.dx, dx, count_x(g), rounding);
    hnt_close_fd("dw", r.dw, dw, count_w(g), 3e-6);
    hnt_close_fd("dw without dx", r.dw_alone, dw, count_w(g), 3e-6);
    hnt_close_fd("dx without dw", r.dx_alone, dx, count_x(g), rounding);
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

static double dot(const float *a, const float *b, int64_t n)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; ++i)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* <dy, conv(x, w)> = <dx, x> = <dw, w>: convolution is linear in both. */
START_TEST(engine_is_adjoint)
{
    const hni_conv_engine *engine;
    for (int e = 0; (engine = hni_conv_engine_at(e)) != NULL; ++e) {
        hni_conv g = geometries[_i];
        ck_assert(hni_conv_fit(&g));
        if (!engine->takes(&g))
            continue;
        float *x = normal(1, count_x(&g)), *w = normal(2, count_w(&g)), *dy = normal(3, count_y(&g));
        float *y = zeros(count_y(&g)), *dx = zeros(count_x(&g)), *dw = zeros(count_w(&g));
        hn_context *context = hnt_context(2);
        size_t bytes;
        hnt_ok(engine->prepare(context, 2, &g, &bytes));
        hn_scratch scratch = hnt_scratch(bytes);
        hnt_ok(engine->forward(context, 2, &g, x, w, y, scratch.data, NULL));
        memcpy(dy, y, (size_t)count_y(&g) * sizeof *y); /* so that the product is large */
        hnt_ok(engine->backward(context, 2, &g, x, w, dy, dx, dw, scratch.data, NULL));
        hn_context_destroy(context);
        const double want = dot(dy, y, count_y(&g));
        hnt_close_d("<dx, x>", dot(dx, x, count_x(&g)), want, 1e-5);
        hnt_close_d("<dw, w>", dot(dw, w, count_w(&g)), want, 1e-5);
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
            conv_result one = run_conv(engine, &g, 1, true);
            for (int32_t threads = 2; threads <= 3; ++threads) {
                conv_result r = run_conv(engine, &g, threads, true);
                ck_assert_mem_eq(r.y, one.y, (size_t)count_y(&g) * 4);
                ck_assert_mem_eq(r.dx, one.dx, (size_t)count_x(&g) * 4);
                ck_assert_mem_eq(r.dw, one.dw, (size_t)count_w(&g) * 4);
                ck_assert_mem_eq(r.dw_alone, one.dw_alone, (size_t)count_w(&g) * 4);
                free_conv(&r);
            }
            free_conv(&one);
        }
}
END_TEST

/* An executor gives a smaller batch the memory of the largest. */
START_TEST(fewer_images_need_no_more_memory)
{
    static const int32_t threads[] = {1, 4};
    const hni_conv_engine *engine;
    for (int e = 0; (engine = hni_conv_engine_at(e)) != NULL; ++e)
        for (int t = 0; t < 4; ++t) {
            size_t before = 0;
            hn_context *context = hnt_context(threads[t % 2]);
            for (int64_t images = 1; images <= 150; ++images) {
                hni_conv g = {images, 4, 4, 16, 0, 0, 16, 3, 3, 1, 1, dtypes[t / 2]};
                size_t bytes;
                ck_assert(hni_conv_fit(&g));
                ck_assert_int_le(hni_conv_part_count(&g), hni_conv_part_bound(&g));
                if (!engine->takes(&g))
                    break;
                hnt_ok(engine->prepare(context, threads[t % 2], &g, &bytes));
                ck_assert_msg(bytes >= before, "%s: %d images need %zu bytes, one less %zu", engine->name, (int)images,
                              bytes, before);
                before = bytes;
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

/* ---- layers: a double reference of the whole unit ---------------------------------------------------------------- */

enum { HAS_CONV = 1, HAS_BIAS = 2, HAS_NORM = 4, HAS_RELU = 8, HAS_ADDEND = 16 };

typedef struct unit_case {
    int parts;
    hni_conv g;
} unit_case;

static const unit_case units[] = {
    {HAS_CONV, {2, 6, 5, 3, 0, 0, 4, 3, 3, 1, 1, HN_F32}},
    {HAS_CONV | HAS_BIAS, {2, 7, 6, 2, 0, 0, 3, 3, 3, 2, 1, HN_F32}},
    {HAS_CONV | HAS_NORM, {2, 5, 5, 3, 0, 0, 4, 3, 3, 1, 1, HN_F32}},
    {HAS_CONV | HAS_BIAS | HAS_NORM | HAS_RELU, {3, 5, 4, 2, 0, 0, 4, 3, 3, 1, 1, HN_F32}},
    {HAS_CONV | HAS_NORM | HAS_RELU | HAS_ADDEND, {2, 6, 6, 3, 0, 0, 5, 3, 3, 2, 1, HN_F32}},
    {HAS_CONV | HAS_NORM | HAS_ADDEND, {3, 4, 4, 4, 0, 0, 3, 1, 1, 1, 0, HN_F32}},
    {HAS_NORM, {3, 4, 5, 6, 0, 0, 6, 1, 1, 1, 0, HN_F32}},
    {HAS_NORM | HAS_RELU | HAS_ADDEND, {3, 4, 5, 6, 0, 0, 6, 1, 1, 1, 0, HN_F32}},
};
enum { UNITS = sizeof units / sizeof units[0] };

/* The arrays that y depends on. */
enum { X, W, B, GAMMA, BETA, ADDEND, INPUTS };
static const char *const input_names[INPUTS] = {"x", "weight", "bias", "bn weight", "bn bias", "addend"};

static int64_t input_count(const unit_case *u, int which)
{
    switch (which) {
    case X:
        return count_x(&u->g);
    case W:
        return (u->parts & HAS_CONV) != 0 ? count_w(&u->g) : 0;
    case B:
        return (u->parts & HAS_BIAS) != 0 ? u->g.out : 0;
    case ADDEND:
        return (u->parts & HAS_ADDEND) != 0 ? count_y(&u->g) : 0;
    default:
        return (u->parts & HAS_NORM) != 0 ? u->g.out : 0;
    }
}

/* y in double; running: mean and variance to use, [2][out], or NULL for those of the batch. */
static void unit_reference(const unit_case *u, double *const in[INPUTS], const double *running, double *y)
{
    const hni_conv *g = &u->g;
    const int64_t n = count_y(g), rows = n / g->out;
    if ((u->parts & HAS_CONV) == 0)
        memcpy(y, in[X], (size_t)n * sizeof *y);
    for (int64_t i = 0; i < n && (u->parts & HAS_CONV) != 0; ++i)
        y[i] = (u->parts & HAS_BIAS) != 0 ? in[B][i % g->out] : 0.0;
    if ((u->parts & HAS_CONV) != 0)
        reference(g, in[X], in[W], NULL, y, NULL, NULL);
    for (int64_t c = 0; c < g->out && (u->parts & HAS_NORM) != 0; ++c) {
        double mean = 0.0, var = 0.0;
        for (int64_t i = c; i < n; i += g->out)
            mean += y[i] / (double)rows;
        for (int64_t i = c; i < n; i += g->out)
            var += (y[i] - mean) * (y[i] - mean) / (double)rows;
        if (running != NULL) {
            mean = running[c];
            var = running[g->out + c];
        }
        for (int64_t i = c; i < n; i += g->out)
            y[i] = (y[i] - mean) / sqrt(var + (double)1e-5f) * in[GAMMA][c] + in[BETA][c];
    }
    for (int64_t i = 0; i < n; ++i) {
        y[i] += (u->parts & HAS_ADDEND) != 0 ? in[ADDEND][i] : 0.0;
        y[i] = (u->parts & HAS_RELU) != 0 && y[i] < 0.0 ? 0.0 : y[i];
    }
}

/* The layer of a case. Its ReLU is its own if there is no addend, else the call's. */
static hn_layer *make_unit(hn_context *context, const unit_case *u)
{
    hn_layer *layer = NULL;
    hn_conv2d_options conv;
    hn_conv2d_options_init(&conv, sizeof conv);
    conv.in_channels = (int32_t)u->g.in;
    conv.out_channels = (int32_t)u->g.out;
    conv.kernel = (int32_t)u->g.kernel_height;
    conv.stride = (int32_t)u->g.stride;
    conv.padding = (int32_t)u->g.padding;
    conv.bias = (u->parts & HAS_BIAS) != 0;
    if ((u->parts & HAS_NORM) == 0)
        hnt_ok(hn_conv2d_create(&layer, context, &conv));
    else if ((u->parts & HAS_CONV) == 0)
        hnt_ok(hn_batchnorm_create(&layer, context, u->g.in, NULL));
    else
        hnt_ok(hn_conv_unit_create(&layer, context, "conv1", "bn1", &conv, NULL,
                                   (u->parts & HAS_RELU) != 0 && (u->parts & HAS_ADDEND) == 0));
    return layer;
}

static hn_param param_at(const hn_layer *layer, int64_t index)
{
    hn_param param = {.struct_size = sizeof param};
    hnt_ok(hn_layer_param(layer, index, &param));
    return param;
}

/* Lists the parameters in the order of the reference's inputs. */
static void list_params(const unit_case *u, const hn_layer *layer, hn_param params[INPUTS])
{
    int64_t at = 0;
    memset(params, 0, INPUTS * sizeof *params);
    for (int which = W; which <= BETA; ++which)
        if (input_count(u, which) > 0) {
            params[which] = param_at(layer, at++);
            ck_assert_int_eq(hn_tensor_count(params[which].value), input_count(u, which));
        }
}

typedef struct unit_run {
    float *y, *grad[INPUTS]; /* grad[X] and grad[ADDEND] are dx and daddend */
} unit_run;

/* Plans and calls the layer as a container does. Fills in[] with the inputs used (doubles) if it is not NULL. */
static unit_run run_unit(const unit_case *u, int32_t threads, double *in[INPUTS])
{
    hn_context *context = hnt_context(threads);
    hn_layer *layer = make_unit(context, u);
    hn_param params[INPUTS];
    list_params(u, layer, params);
    float *value[INPUTS];
    unit_run r = {.y = normal(90, count_y(&u->g))};
    for (int which = 0; which < INPUTS; ++which) {
        const int64_t n = input_count(u, which);
        value[which] = normal(100 + (uint64_t)which, n);
        r.grad[which] = zeros(n);
        if (params[which].value != NULL) {
            memcpy(hn_tensor_data(params[which].value), value[which], (size_t)n * 4);
            memset(hn_tensor_data(params[which].grad), 0, (size_t)n * 4);
        }
        if (in != NULL)
            in[which] = doubles(value[which], n);
    }
    float *dy = normal(99, count_y(&u->g));
    const hn_desc input = {HN_F32, 4, {u->g.images, u->g.height, u->g.width, u->g.in}};
    hn_layer_plan plan;
    hnt_ok(hn_layer_plan_call(layer, &input, HN_MODE_TRAIN, threads, &plan));
    hn_scratch workspace = hnt_scratch(plan.workspace_bytes + 1), scratch = hnt_scratch(plan.scratch_bytes + 1);
    const int adds = (u->parts & HAS_ADDEND) != 0;
    ck_assert_int_eq(hn_layer_can_add(layer), (u->parts & HAS_NORM) != 0);
    hn_layer_call call = {.struct_size = sizeof call,
                          .context = context,
                          .mode = HN_MODE_TRAIN,
                          .num_threads = threads,
                          .input = input,
                          .output = plan.output,
                          .x = value[X],
                          .y = r.y,
                          .workspace = workspace.data,
                          .scratch = scratch.data,
                          .addend = adds ? value[ADDEND] : NULL,
                          .relu = adds && (u->parts & HAS_RELU) != 0};
    hnt_ok(hn_layer_forward(layer, &call));
    memset(scratch.data, 0xff, scratch.size);
    call.dy = dy;
    call.dx = r.grad[X];
    call.daddend = adds ? r.grad[ADDEND] : NULL;
    hnt_ok(hn_layer_backward(layer, &call));
    for (int which = W; which <= BETA; ++which)
        if (params[which].value != NULL)
            memcpy(r.grad[which], hn_tensor_cdata(params[which].grad), (size_t)input_count(u, which) * 4);
    for (int which = 0; which < INPUTS; ++which)
        free(value[which]);
    free(dy);
    free(workspace.data);
    free(scratch.data);
    hn_layer_destroy(layer);
    hn_context_destroy(context);
    return r;
}

static void free_unit(unit_run *r)
{
    free(r->y);
    for (int which = 0; which < INPUTS; ++which)
        free(r->grad[which]);
}

static unit_case unit_at(int index)
{
    unit_case u = units[index];
    ck_assert(hni_conv_fit(&u.g));
    return u;
}

/* <dy, y> in double. */
static double objective(const unit_case *u, double *const in[INPUTS], const float *dy, double *y)
{
    double sum = 0.0;
    unit_reference(u, in, NULL, y);
    for (int64_t i = 0; i < count_y(&u->g); ++i)
        sum += y[i] * (double)dy[i];
    return sum;
}

START_TEST(layers_agree_with_central_differences)
{
    const unit_case u = unit_at(_i);
    double *in[INPUTS], *y = doubles(NULL, count_y(&u.g));
    unit_run r = run_unit(&u, 2, in);
    float *dy = normal(99, count_y(&u.g));
    unit_reference(&u, in, NULL, y);
    hnt_close_fd("y", r.y, y, count_y(&u.g), 5e-6);
    for (int which = 0; which < INPUTS; ++which) {
        const int64_t n = input_count(&u, which);
        double *want = doubles(NULL, n), largest = 0.0;
        for (int64_t i = 0; i < n; ++i) {
            const double at = in[which][i], h = 1e-6;
            in[which][i] = at + h;
            double up = objective(&u, in, dy, y);
            in[which][i] = at - h;
            want[i] = (up - objective(&u, in, dy, y)) / (2 * h);
            in[which][i] = at;
            largest = fmax(largest, fabs(want[i]));
        }
        if (which == B && (u.parts & HAS_NORM) != 0) /* batch norm takes a bias away again */
            for (int64_t i = 0; i < n; ++i)
                ck_assert(fabsf(r.grad[B][i]) < 1e-4f && largest < 1e-6);
        else if (n > 0)
            hnt_close_fd(input_names[which], r.grad[which], want, n, 1e-5);
        free(want);
    }
    for (int which = 0; which < INPUTS; ++which)
        free(in[which]);
    free_unit(&r);
    free(dy);
    free(y);
}
END_TEST

START_TEST(layer_bits_do_not_depend_on_threads)
{
    const unit_case u = unit_at(_i);
    unit_run one = run_unit(&u, 1, NULL);
    for (int32_t threads = 2; threads <= 3; ++threads) {
        unit_run r = run_unit(&u, threads, NULL);
        ck_assert_mem_eq(r.y, one.y, (size_t)count_y(&u.g) * 4);
        for (int which = 0; which < INPUTS; ++which)
            if (input_count(&u, which) > 0)
                ck_assert_mem_eq(r.grad[which], one.grad[which], (size_t)input_count(&u, which) * 4);
        free_unit(&r);
    }
    free_unit(&one);
}
END_TEST

/* ---- layers through executors ------------------------------------------------------------------------------------ */

static hn_tensor *tensor_of(hn_context *context, float *data, const hn_desc *desc)
{
    hn_tensor *t;
    hnt_ok(hn_tensor_wrap(&t, context, data, desc));
    return t;
}

/* Two training passes move the running statistics as PyTorch does; inference then uses them. */
START_TEST(running_statistics_and_inference)
{
    const unit_case u = unit_at(3);
    hn_context *context = hnt_context(2);
    hn_layer *layer = make_unit(context, &u);
    hn_param params[INPUTS];
    list_params(&u, layer, params);
    const int64_t out = u.g.out, n = count_y(&u.g), rows = n / out, count = hn_layer_param_count(layer);
    hn_param mean = param_at(layer, count - 2), var = param_at(layer, count - 1);
    ck_assert_str_eq(mean.name, "bn1.running_mean");
    ck_assert_str_eq(var.name, "bn1.running_var");
    ck_assert_ptr_null(mean.grad);
    hn_rng rng;
    hn_rng_seed(&rng, 3, 0);
    hnt_ok(hn_layer_init_params(layer, &rng));
    double running[2 * 4] = {0, 0, 0, 0, 1, 1, 1, 1};
    ck_assert_int_eq(out, 4);

    const hn_desc input = {HN_F32, 4, {u.g.images, u.g.height, u.g.width, u.g.in}};
    hn_exec *exec;
    hnt_ok(hn_exec_create(&exec, context, layer, &input, HN_MODE_TRAIN));
    double *in[INPUTS] = {NULL}, *z = doubles(NULL, n), *y = doubles(NULL, n);
    for (int which = W; which <= BETA; ++which)
        in[which] = doubles(hn_tensor_cdata(params[which].value), input_count(&u, which));
    const hn_tensor *result;
    float *xf = NULL;
    for (uint64_t pass = 0; pass < 2; ++pass) {
        free(xf);
        free(in[X]);
        xf = normal(50 + pass, count_x(&u.g));
        in[X] = doubles(xf, count_x(&u.g));
        hn_tensor *x = tensor_of(context, xf, &input);
        hnt_ok(hn_exec_forward(exec, x, &result));
        hn_tensor_destroy(x);
        unit_case bare = {HAS_CONV | HAS_BIAS, u.g};
        unit_reference(&bare, in, NULL, z);
        for (int64_t c = 0; c < out; ++c) {
            double sum = 0.0, squares = 0.0;
            for (int64_t i = c; i < n; i += out)
                sum += z[i];
            for (int64_t i = c; i < n; i += out)
                squares += (z[i] - sum / (double)rows) * (z[i] - sum / (double)rows);
            running[c] = 0.9 * running[c] + 0.1 * sum / (double)rows;
            running[out + c] = 0.9 * running[out + c] + 0.1 * squares / (double)(rows - 1);
        }
    }
    hnt_close_fd("running_mean", hn_tensor_cdata(mean.value), running, out, 2e-6);
    hnt_close_fd("running_var", hn_tensor_cdata(var.value), running + out, out, 2e-6);
    hn_exec_destroy(exec);

    hnt_ok(hn_exec_create(&exec, context, layer, &input, HN_MODE_INFER));
    hn_tensor *x = tensor_of(context, xf, &input);
    float before[4];
    memcpy(before, hn_tensor_cdata(mean.value), sizeof before);
    hnt_ok(hn_exec_forward(exec, x, &result));
    unit_reference(&u, in, running, y);
    hnt_close_fd("y in inference", hn_tensor_cdata(result), y, n, 5e-6);
    ck_assert_mem_eq(before, hn_tensor_cdata(mean.value), sizeof before);
    hn_tensor_destroy(x);
    hn_exec_destroy(exec);
    for (int which = 0; which < INPUTS; ++which)
        free(in[which]);
    free(z);
    free(y);
    free(xf);
    hn_layer_destroy(layer);
    hn_context_destroy(context);
}
END_TEST

START_TEST(relu_layer)
{
    hn_context *context = hnt_context(2);
    hn_layer *layer;
    hn_exec *exec;
    hnt_ok(hn_relu_create(&layer, context));
    const hn_desc desc = {HN_F32, 3, {4, 5, 6}};
    hnt_ok(hn_exec_create(&exec, context, layer, &desc, HN_MODE_TRAIN));
    float *xf = normal(1, 120), *dyf = normal(2, 120), *dxf = zeros(120);
    hn_tensor *x = tensor_of(context, xf, &desc), *dy = tensor_of(context, dyf, &desc);
    hn_tensor *dx = tensor_of(context, dxf, &desc);
    const hn_tensor *y;
    hnt_ok(hn_exec_forward(exec, x, &y));
    hnt_ok(hn_exec_backward(exec, dy, dx));
    for (int i = 0; i < 120; ++i) {
        ck_assert(((const float *)hn_tensor_cdata(y))[i] == fmaxf(xf[i], 0.0f));
        ck_assert(dxf[i] == (xf[i] > 0.0f ? dyf[i] : 0.0f));
    }
    hn_tensor_destroy(x);
    hn_tensor_destroy(dy);
    hn_tensor_destroy(dx);
    hn_exec_destroy(exec);
    hn_layer_destroy(layer);
    free(xf);
    free(dyf);
    free(dxf);
    hn_context_destroy(context);
}
END_TEST

START_TEST(parameters_and_their_first_values)
{
    hn_context *context = hnt_context(1);
    hn_conv2d_options o;
    hn_conv2d_options_init(&o, sizeof o);
    ck_assert_int_eq(o.kernel, 3);
    ck_assert_int_eq(o.stride, 1);
    ck_assert_int_eq(o.padding, 1);
    ck_assert_int_eq(o.bias, 0);
    o.in_channels = 32;
    o.out_channels = 64;
    hn_layer *layer;
    hnt_ok(hn_conv_unit_create(&layer, context, "downsample.0", "downsample.1", &o, NULL, 0));
    static const char *const names[] = {"downsample.0.weight", "downsample.1.weight", "downsample.1.bias",
                                        "downsample.1.running_mean", "downsample.1.running_var"};
    static const int32_t decay[] = {1, 0, 0, 0, 0};
    hn_rng rng;
    hn_rng_seed(&rng, 1, 0);
    hnt_ok(hn_layer_init_params(layer, &rng));
    ck_assert_int_eq(hn_layer_param_count(layer), 5);
    for (int i = 0; i < 5; ++i) {
        hn_param p = param_at(layer, i);
        ck_assert_str_eq(p.name, names[i]);
        ck_assert_int_eq(p.weight_decay, decay[i]);
        ck_assert_int_eq(p.grad != NULL, i < 3);
        const float *v = hn_tensor_cdata(p.value);
        if (i > 0)
            ck_assert(v[0] == (i == 1 || i == 4 ? 1.0f : 0.0f) && v[63] == v[0]);
        else
            hnt_close_d("variance", dot(v, v, 64 * 32 * 9) / (64 * 32 * 9), 2.0 / (32 * 9), 0.05);
    }
    hn_layer_destroy(layer);
    hn_context_destroy(context);
}
END_TEST

START_TEST(wrong_options_and_shapes)
{
    hn_context *context = hnt_context(1);
    hn_layer *layer = NULL;
    hn_conv2d_options o;
    hn_batchnorm_options b;
    hn_conv2d_options_init(&o, sizeof o);
    hn_batchnorm_options_init(&b, sizeof b);
    hnt_fails(hn_conv2d_create(&layer, context, NULL), HN_E_ARG, "in_channels 0");
    o.in_channels = 3;
    o.out_channels = 4;
    hnt_fails(hn_conv2d_create(NULL, context, &o), HN_E_ARG, "out is NULL");
    hnt_fails(hn_conv2d_create(&layer, NULL, &o), HN_E_ARG, "context is NULL");
    o.kernel = 65;
    hnt_fails(hn_conv2d_create(&layer, context, &o), HN_E_ARG, "kernel is 65");
    o.kernel = 3;
    o.stride = 0;
    hnt_fails(hn_conv2d_create(&layer, context, &o), HN_E_ARG, "stride is 0");
    o.stride = 1;
    o.padding = 4;
    hnt_fails(hn_conv_unit_create(&layer, context, "c", "b", &o, NULL, 0), HN_E_ARG, "padding is 4");
    o.padding = 0;
    o.out_channels = INT32_MAX;
    hnt_fails(hn_conv2d_create(&layer, context, &o), HN_E_ARG, "too many");
    o.out_channels = 4;
    hnt_fails(hn_conv_unit_create(&layer, context, NULL, "b", &o, NULL, 0), HN_E_ARG, "conv_name is NULL");
    hnt_fails(hn_conv_unit_create(&layer, context, "", "b", &o, NULL, 0), HN_E_ARG, "empty");
    hnt_fails(hn_conv_unit_create(&layer, context, "same", "same", &o, NULL, 0), HN_E_ARG, "same.weight already");
    hnt_fails(hn_batchnorm_create(&layer, context, 0, NULL), HN_E_ARG, "channels is 0");
    b.eps = 0.0f;
    hnt_fails(hn_batchnorm_create(&layer, context, 4, &b), HN_E_ARG, "eps is 0");
    b.eps = 1e-5f;
    b.momentum = NAN;
    hnt_fails(hn_batchnorm_create(&layer, context, 4, &b), HN_E_ARG, "momentum is");
    hnt_fails(hn_relu_create(NULL, context), HN_E_ARG, "out is NULL");
    ck_assert_ptr_null(layer);

    hn_desc in = {HN_F32, 4, {1, 3, 3, 3}}, out;
    hn_exec *exec = NULL;
    hnt_ok(hn_conv_unit_create(&layer, context, "c", "b", &o, NULL, 0));
    hnt_ok(hn_layer_output(layer, &in, &out));
    ck_assert_int_eq(out.dim[1] * out.dim[2], 1);
    hnt_fails(hn_exec_create(&exec, context, layer, &in, HN_MODE_TRAIN), HN_E_SHAPE, "no variance");
    in.dim[1] = 2;
    hnt_fails(hn_layer_output(layer, &in, &out), HN_E_SHAPE, "does not fit into images of 2x3");
    in.dim[3] = 5;
    hnt_fails(hn_layer_output(layer, &in, &out), HN_E_SHAPE, "5 channels, not 3");
    in.ndim = 3;
    hnt_fails(hn_layer_output(layer, &in, &out), HN_E_SHAPE, "must have 4 dimensions");
    hn_layer_destroy(layer);
    hnt_ok(hn_batchnorm_create(&layer, context, 4, NULL));
    in = (hn_desc){HN_F32, 2, {1, 4}};
    hnt_fails(hn_exec_create(&exec, context, layer, &in, HN_MODE_TRAIN), HN_E_SHAPE, "no variance");
    in.dim[1] = 3;
    hnt_fails(hn_layer_output(layer, &in, &out), HN_E_SHAPE, "3 channels, not 4");
    in.ndim = 1;
    hnt_fails(hn_layer_output(layer, &in, &out), HN_E_SHAPE, "1 dimension");
    hn_layer_destroy(layer);
    hn_context_destroy(context);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    for (int kind = 0; kind < 4; ++kind)
        for (int64_t k = 0;; ++k) {
            hnt_counter counter = {.fail_at = -1};
            hn_context *context;
            hnt_ok(hnt_counting_context(&context, &counter, 1));
            int64_t before = counter.alive;
            counter.fail_at = counter.calls + k;
            hn_conv2d_options o;
            hn_conv2d_options_init(&o, sizeof o);
            o.in_channels = o.out_channels = 2;
            o.bias = 1;
            hn_layer *layer = NULL;
            hn_status status = kind == 0   ? hn_conv2d_create(&layer, context, &o)
                               : kind == 1 ? hn_batchnorm_create(&layer, context, 4, NULL)
                               : kind == 2 ? hn_conv_unit_create(&layer, context, "c", "b", &o, NULL, 1)
                                           : hn_relu_create(&layer, context);
            if (status == HN_OK)
                hn_layer_destroy(layer);
            else
                ck_assert_int_eq(status, HN_E_NOMEM);
            ck_assert_int_eq(counter.alive, before);
            hn_context_destroy(context);
            ck_assert_int_eq(counter.alive, 0);
            if (status == HN_OK)
                break;
            ck_assert_ptr_null(layer);
        }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("conv");
    TCase *unit = hnt_case(s, "unit"), *grad = hnt_case(s, "grad"), *repro = hnt_case(s, "repro");
    tcase_add_loop_test(unit, engine_agrees_with_reference, 0, GEOMETRIES);
    tcase_add_test(unit, kernel_must_fit);
    tcase_add_test(unit, fewer_images_need_no_more_memory);
    tcase_add_test(unit, running_statistics_and_inference);
    tcase_add_test(unit, relu_layer);
    tcase_add_test(unit, parameters_and_their_first_values);
    tcase_add_test(unit, wrong_options_and_shapes);
    tcase_add_test(unit, every_allocation_may_fail);
    tcase_add_loop_test(grad, engine_is_adjoint, 0, GEOMETRIES);
    tcase_add_loop_test(grad, layers_agree_with_central_differences, 0, UNITS);
    tcase_add_loop_test(repro, engine_bits_do_not_depend_on_threads, 0, GEOMETRIES);
    tcase_add_loop_test(repro, layer_bits_do_not_depend_on_threads, 0, UNITS);
    return s;
}

HNT_MAIN(suite)
