#include "loss_batch.h"

/* ---- the losses ------------------------------------------------------------------------------------------------------ */

/* NAME_init, NAME_scratch, NAME_run. */
#define LOSS(name, ...)                                                               \
    static void name##_init(void *options)                                            \
    {                                                                                 \
        hn_loss_##name##_options_init(options, sizeof(hn_loss_##name##_options));     \
    }                                                                                 \
    static hn_status name##_scratch(const void *o, const hnt_sizes *s, size_t *bytes) \
    {                                                                                 \
        return hn_loss_##name##_scratch(o, __VA_ARGS__, bytes);                       \
    }

LOSS(ce, s->n, s->classes)
LOSS(sc, s->n, s->dim)
LOSS(psc, s->n, s->classes, s->dim)
LOSS(bcl, s->n, s->classes, s->dim)
LOSS(kcl, s->n, s->k, s->targets, s->dim)
LOSS(paco, s->n, s->k, s->classes, s->dim)
LOSS(proco, s->n, s->classes, s->dim)

static hn_status sc_contrast_scratch(const void *o, const hnt_sizes *s, size_t *bytes)
{
    return hn_loss_sc_contrast_scratch(o, s->n, s->k, s->dim, bytes);
}

static hn_status ce_run(const hnt_arguments *a)
{
    return hn_loss_ce(a->options, a->x[HNT_T], a->index[HNT_LABELS], a->loss, a->rows, a->g[HNT_T], a->scratch);
}

static hn_status sc_run(const hnt_arguments *a)
{
    return hn_loss_sc(a->options, a->x[HNT_Z], a->index[HNT_LABELS], a->loss, a->rows, a->g[HNT_Z], a->scratch);
}

static hn_status sc_contrast_run(const hnt_arguments *a)
{
    return hn_loss_sc_contrast(a->options, a->x[HNT_Z], a->index[HNT_LABELS], a->x[HNT_Y], a->index[HNT_KEY_LABELS],
                               a->index[HNT_SELF], a->loss, a->rows, a->g[HNT_Z], a->g[HNT_Y], a->scratch);
}

static hn_status psc_run(const hnt_arguments *a)
{
    return hn_loss_psc(a->options, a->x[HNT_Z], a->x[HNT_Y], a->index[HNT_LABELS], a->loss, a->rows, a->g[HNT_Z],
                       a->g[HNT_Y], a->scratch);
}

static hn_status bcl_run(const hnt_arguments *a)
{
    return hn_loss_bcl(a->options, a->x[HNT_Z], a->index[HNT_LABELS], a->x[HNT_Y], a->loss, a->rows, a->g[HNT_Z],
                       a->g[HNT_Y], a->scratch);
}

static hn_status kcl_run(const hnt_arguments *a)
{
    return hn_loss_kcl(a->options, a->x[HNT_Z], a->index[HNT_LABELS], a->x[HNT_Y], a->index[HNT_KEY_LABELS],
                       a->index[HNT_SELF], a->index[HNT_OWN_KEY], a->x[HNT_T], a->classes, a->index[HNT_CLASS_TARGET],
                       a->loss, a->rows, a->g[HNT_Z], a->g[HNT_Y], a->scratch);
}

static hn_status paco_run(const hnt_arguments *a)
{
    return hn_loss_paco(a->options, a->x[HNT_T], a->x[HNT_Z], a->index[HNT_LABELS], a->x[HNT_Y],
                        a->index[HNT_KEY_LABELS], a->index[HNT_SELF], a->loss, a->rows, a->g[HNT_T], a->g[HNT_Z],
                        a->g[HNT_Y], a->scratch);
}

static hn_status proco_run(const hnt_arguments *a)
{
    return hn_loss_proco(a->options, a->x[HNT_Z], a->index[HNT_LABELS], a->x[HNT_Y], a->loss, a->rows, a->g[HNT_Z],
                         a->scratch);
}

const hnt_pure_loss hnt_ce = {
    {NULL, NULL, "logits"}, {NULL, NULL, "dlogits"}, {"labels"}, 0, ce_init, ce_scratch, ce_run};
const hnt_pure_loss hnt_sc = {{"z"}, {"dz"}, {"labels"}, 1, sc_init, sc_scratch, sc_run};
const hnt_pure_loss hnt_sc_contrast = {{"anchors", "contrast"},
                                       {"danchors", "dcontrast"},
                                       {"labels", "contrast_labels", "self"},
                                       1,
                                       sc_init,
                                       sc_contrast_scratch,
                                       sc_contrast_run};
const hnt_pure_loss hnt_psc = {
    {"z", "prototypes"}, {"dz", "dprototypes"}, {"labels"}, 1, psc_init, psc_scratch, psc_run};
const hnt_pure_loss hnt_bcl = {
    {"z", "prototypes"}, {"dz", "dprototypes"}, {"labels"}, 1, bcl_init, bcl_scratch, bcl_run};
const hnt_pure_loss hnt_kcl = {{"anchors", "keys", "targets"},
                               {"danchors", "dkeys"},
                               {"labels", "key_labels", "self", "own_key", "class_target"},
                               1,
                               kcl_init,
                               kcl_scratch,
                               kcl_run};
const hnt_pure_loss hnt_paco = {{"z", "keys", "logits"},
                                {"dz", "dkeys", "dlogits"},
                                {"labels", "key_labels", "self"},
                                1,
                                paco_init,
                                paco_scratch,
                                paco_run};
const hnt_pure_loss hnt_proco = {{"z", "mean"}, {"dz"}, {"labels"}, 1, proco_init, proco_scratch, proco_run};

/* ---- a batch --------------------------------------------------------------------------------------------------------- */

int32_t *hnt_integers(int64_t n)
{
    return hnt_alloc((size_t)n * sizeof(int32_t));
}

hnt_batch hnt_batch_of(const hnt_pure_loss *loss, int64_t n, int64_t classes, int64_t dim)
{
    hnt_batch b = {.of = loss, .n = n, .classes = classes, .dim = dim};
    loss->init(&b.o);
    b.labels = hnt_integers(n);
    b.rows = hnt_poison(n);
    return b;
}

hnt_matrix hnt_matrix_of(uint64_t seed, int64_t rows, int64_t cols, int64_t pad)
{
    const int64_t ld = cols + pad;
    return (hnt_matrix){hnt_padded(seed, rows, cols, ld), hnt_poison(rows * ld), rows, cols, ld, rows};
}

void hnt_drop(hnt_batch *b)
{
    for (int i = 0; i < HNT_MATRICES; ++i) {
        free(b->m[i].x);
        free(b->m[i].g);
    }
    for (int i = 0; i < HNT_INDICES; ++i)
        free(b->index[i]);
    for (int i = 0; i < HNT_EXTRAS; ++i)
        free(b->extra[i]);
    free(b->rng);
    free(b->rows);
}

hnt_sizes hnt_sizes_of(const hnt_batch *b)
{
    return (hnt_sizes){b->n, b->y.rows, b->classes, b->t.rows, b->dim};
}

hn_status hnt_call(hnt_batch *b)
{
    const hnt_sizes sizes = hnt_sizes_of(b);
    hn_cmatf x[HNT_MATRICES];
    hn_matf g[HNT_MATRICES];
    hnt_arguments a = {.options = &b->o, .classes = b->classes, .loss = &b->loss, .rows = b->rows};
    size_t bytes;
    hn_status status = b->of->scratch(&b->o, &sizes, &bytes);
    if (status < 0)
        return status;
    for (int i = 0; i < HNT_MATRICES; ++i) {
        const hnt_matrix *m = &b->m[i];
        x[i] = (hn_cmatf){m->x, m->rows, m->cols, m->ld};
        g[i] = (hn_matf){m->g, m->given, m->cols, m->ld};
        a.x[i] = m->x == NULL ? NULL : &x[i];
        a.g[i] = m->g == NULL ? NULL : &g[i];
    }
    memcpy(a.index, b->index, sizeof a.index);
    hn_scratch scratch = hnt_scratch(bytes);
    memset(scratch.data, 0xff, bytes);
    a.scratch = &scratch;
    status = b->of->run(&a);
    free(scratch.data);
    return status;
}

float *hnt_gradient(const hnt_matrix *m)
{
    return hnt_dense(m->g, m->given, m->cols, m->ld);
}

void hnt_zeros(const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; ++i)
        hnt_check(x[i] == 0.0f, "element %lld is %g, not 0", (long long)i, (double)x[i]);
}

void hnt_zero_row(const hnt_matrix *m, int64_t row)
{
    hnt_zeros(m->g + row * m->ld, m->cols);
}

void hnt_zero_gradient(const hnt_matrix *m)
{
    for (int64_t i = 0; m->g != NULL && i < m->given; ++i)
        hnt_zero_row(m, i);
}

void hnt_finite_gradients(const hnt_batch *b)
{
    for (int i = 0; i < HNT_MATRICES; ++i)
        for (int64_t row = 0; b->of->gradient[i] != NULL && row < b->m[i].given; ++row)
            hnt_finite(b->of->gradient[i], b->m[i].g + row * b->m[i].ld, b->m[i].cols);
}

/* All results hold the mark, or are checked to hold it. */
static void mark(hnt_batch *b, int check)
{
    const double loss = 77.0;
    const float number = 78.0f;
    for (int i = 0; i < HNT_MATRICES; ++i)
        for (int64_t k = 0; b->m[i].g != NULL && k < b->m[i].rows * b->m[i].ld; ++k)
            if (check)
                hnt_check(b->m[i].g[k] == number, "a refused call wrote into %s", b->of->gradient[i]);
            else
                b->m[i].g[k] = number;
    for (int64_t i = 0; i < b->n; ++i)
        if (check)
            hnt_check(b->rows[i] == number, "a refused call wrote into row_loss");
        else
            b->rows[i] = number;
    if (check)
        ck_assert_double_eq(b->loss, loss);
    b->loss = loss;
}

void hnt_refuse(hnt_batch *b, hn_status status, const char *sentence)
{
    mark(b, 0);
    hnt_fails(hnt_call(b), status, sentence);
    mark(b, 1);
}
