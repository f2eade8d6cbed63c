/* With s_ik = z_i.p_k / tau, lse_i = log sum exp(s_ik) over the denominator, w the assignment of row i to the prototypes of
 * its class, W_i its sum and a the reduction's weight:
 *     L_i = W_i lse_i - sum_m w_im s_im,    dL/ds_ik = a (W_i exp(s_ik - lse_i) [k in the denominator] - w_ik)
 * denominator.h has the first part; the second, the pull, touches M prototypes a row.                                    */
#include "loss/prototypical.h"

#include "base/error.h"
#include "base/options.h"
#include "loss/common.h"
#include "loss/denominator.h"

#include <inttypes.h>
#include <math.h>

static const hn_loss_psc_options defaults = {.struct_size = sizeof defaults,
                                             .num_threads = 1,
                                             .grad_scale = 1.0f,
                                             .temperature = 0.1f,
                                             .normalize = 1,
                                             .prototypes_per_class = 1};

void hn_loss_psc_options_init(hn_loss_psc_options *options, size_t struct_size)
{
    hni_options_init(options, struct_size, &defaults, sizeof defaults);
}

static hn_status read_options(hn_loss_psc_options *o, const hn_loss_psc_options *options, const char *function)
{
    *o = defaults;
    HNI_TRY(hni_options_read(o, sizeof *o, options, function));
    HNI_TRY(hni_loss_check_common(o, function));
    HNI_TRY(hni_loss_check_temperature(o->temperature, function));
    HNI_FAIL_IF(o->prototypes_per_class < 1, HN_E_ARG, "%s: prototypes_per_class is %d; it must be positive", function,
                (int)o->prototypes_per_class);
    HNI_FAIL_IF(o->assign < HN_ASSIGN_SOFT || o->assign > HN_ASSIGN_GIVEN, HN_E_ARG, "%s: assign %d does not exist",
                function, (int)o->assign);
    return HN_OK;
}

/* What the callbacks need; k = classes * M prototypes, those of class c are c * M and the M - 1 after it. */
typedef struct work {
    const hn_loss_psc_options *o;
    const int32_t *labels;
    hni_denominator d;
    int64_t per_class;
    float *assign; /* n x M, the weights w */
    double *row;   /* [n], losses */
    double weight; /* a, with the factor 1/M if wanted */
    double factor; /* 1/M or 1 */
} work;

static size_t carve(work *w, int64_t n, int64_t k, int64_t dim, char *base)
{
    hni_carver c = {base, 0};
    w->assign = hni_carve(&c, n * w->per_class, sizeof *w->assign);
    w->row = hni_carve(&c, n, sizeof *w->row);
    return c.used + hni_denominator_carve(&w->d, n, k, dim, base == NULL ? NULL : base + c.used);
}

/* The paper's denominator: the own class is not in it; nor is anything in that of an ignored row. */
static void adjust(void *arg, int64_t i, int64_t begin, int64_t end, float *s)
{
    const work *w = arg;
    if (w->o->include_own || w->labels[i] < 0)
        return;
    const int64_t own = w->labels[i] * w->per_class;
    for (int64_t k = own < begin ? begin : own; k < end && k < own + w->per_class; ++k)
        s[k - begin] = -INFINITY;
}

/* The weights of row i; returns the weighted similarity, *total: the sum of the weights. */
static double assign(const work *w, int64_t i, double *total)
{
    const int64_t m = w->per_class, own = w->labels[i] * m;
    float *weight = w->assign + i * m;
    double best = (double)-INFINITY, sum = 0.0, similarity = 0.0;
    for (int64_t l = 0; w->o->assign <= HN_ASSIGN_HARD && l < m; ++l) {
        double s = hni_denominator_similarity(&w->d, i, own + l);
        best = s > best ? s : best;
    }
    bool taken = false; /* by the first of equals */
    for (int64_t l = 0; l < m; ++l) {
        double s = hni_denominator_similarity(&w->d, i, own + l), share = 1.0 / (double)m;
        if (w->o->assign == HN_ASSIGN_SOFT)
            share = exp(s - best);
        else if (w->o->assign == HN_ASSIGN_HARD)
            share = s == best && !taken ? 1.0 : 0.0;
        else if (w->o->assign == HN_ASSIGN_GIVEN)
            share = (double)w->o->assignment[i * m + l];
        taken = taken || share > 0.0;
        weight[l] = (float)share;
        sum += share;
        if (share > 0.0)
            similarity += share * s;
        else if (isnan(s))
            similarity = s;
    }
    *total = sum;
    if (w->o->assign != HN_ASSIGN_SOFT)
        return similarity;
    for (int64_t l = 0; l < m; ++l)
        weight[l] = (float)((double)weight[l] / sum);
    *total = 1.0;
    return similarity / sum;
}

static double weigh(void *arg, int64_t i, double lse)
{
    work *w = arg;
    double total;
    w->row[i] = 0.0;
    if (w->labels[i] < 0)
        return 0.0;
    double near = assign(w, i, &total);
    if (total > 0.0 || isnan(near)) /* shares that are all 0 have no loss, but NaN goes through */
        w->row[i] = w->factor * (total * lse - near);
    return w->weight * total;
}

static void pull(void *arg, int64_t i, float *g)
{
    const work *w = arg;
    const int64_t m = w->per_class, dim = w->d.dim;
    for (int64_t l = 0; w->labels[i] >= 0 && l < m; ++l) {
        const float *p = w->d.p + (w->labels[i] * m + l) * dim;
        float by = (float)(w->weight / (double)w->o->temperature) * w->assign[i * m + l];
        for (int64_t c = 0; by != 0.0f && c < dim; ++c)
            g[c] -= by * p[c];
    }
}

static void pull_keys(void *arg, float *g)
{
    const work *w = arg;
    const int64_t m = w->per_class, dim = w->d.dim;
    for (int64_t i = 0; i < w->d.n; ++i) {
        const float *z = w->d.z + i * dim;
        for (int64_t l = 0; w->labels[i] >= 0 && l < m; ++l) {
            float *to = g + (w->labels[i] * m + l) * dim;
            float by = (float)(w->weight / (double)w->o->temperature) * w->assign[i * m + l];
            for (int64_t c = 0; by != 0.0f && c < dim; ++c)
                to[c] -= by * z[c];
        }
    }
}

hn_status hn_loss_psc_scratch(const hn_loss_psc_options *options, int64_t n, int64_t classes, int64_t dim,
                              size_t *bytes)
{
    static const char function[] = "hn_loss_psc_scratch";
    hn_loss_psc_options o;
    HNI_FAIL_IF(bytes == NULL, HN_E_ARG, "%s: bytes is NULL", function);
    HNI_TRY(read_options(&o, options, function));
    HNI_TRY(hni_loss_check_extents(n, dim, function, "z"));
    HNI_FAIL_IF(classes < 1, HN_E_SHAPE, "%s: classes is %" PRId64 "; it must be positive", function, classes);
    HNI_TRY(hni_loss_check_extents(n, o.prototypes_per_class, function, "the assignment"));
    HNI_FAIL_IF(classes > INT32_MAX / o.prototypes_per_class, HN_E_SHAPE,
                "%s: %" PRId64 " classes have too many prototypes", function, classes);
    HNI_TRY(hni_loss_check_extents(classes * o.prototypes_per_class, dim, function, "prototypes"));
    work w = {.per_class = o.prototypes_per_class};
    *bytes = carve(&w, n, classes * o.prototypes_per_class, dim, NULL);
    return HN_OK;
}

static hn_status check_assignment(const hn_loss_psc_options *o, int64_t n, const char *function)
{
    if (o->assign != HN_ASSIGN_GIVEN || n == 0)
        return HN_OK;
    HNI_FAIL_IF(o->assignment == NULL, HN_E_ARG, "%s: assign is HN_ASSIGN_GIVEN, but assignment is NULL", function);
    for (int64_t i = 0; i < n * o->prototypes_per_class; ++i)
        HNI_FAIL_IF(!(o->assignment[i] >= 0.0f && isfinite(o->assignment[i])), HN_E_ARG,
                    "%s: the assignment of row %" PRId64 " to its prototype %" PRId64
                    " is %g; it must be finite and not negative",
                    function, i / o->prototypes_per_class, i % o->prototypes_per_class, (double)o->assignment[i]);
    return HN_OK;
}

/* Checks everything; on HN_OK nothing can fail any more. */
static hn_status check(const char *function, hn_loss_psc_options *o, const hn_loss_psc_options *options,
                       const hn_cmatf *z, const hn_cmatf *prototypes, const int32_t *labels, const hn_matf *dz,
                       const hn_matf *dprototypes, const hn_scratch *scratch, int64_t *valid)
{
    size_t bytes;
    HNI_TRY(read_options(o, options, function));
    HNI_TRY(hni_loss_check_matrix(z, function, "z"));
    HNI_TRY(hni_loss_check_matrix(prototypes, function, "prototypes"));
    HNI_TRY(hni_loss_check_columns(prototypes, z, function, "prototypes have", "z has"));
    HNI_FAIL_IF(prototypes->rows < 1 || prototypes->rows % o->prototypes_per_class != 0, HN_E_SHAPE,
                "%s: prototypes have %" PRId64 " rows; it must be a positive multiple of prototypes_per_class, %d",
                function, prototypes->rows, (int)o->prototypes_per_class);
    HNI_TRY(hni_loss_check_gradient(dz, z, function, "dz"));
    HNI_TRY(hni_loss_check_gradient(dprototypes, prototypes, function, "dprototypes"));
    HNI_TRY(hni_loss_check_labels(labels, z->rows, prototypes->rows / o->prototypes_per_class, function, valid));
    HNI_TRY(check_assignment(o, z->rows, function));
    HNI_TRY(hni_loss_check_finite(o->check_finite, z, function, "z"));
    HNI_TRY(hni_loss_check_finite(o->check_finite, prototypes, function, "prototypes"));
    HNI_TRY(hn_loss_psc_scratch(o, z->rows, prototypes->rows / o->prototypes_per_class, z->cols, &bytes));
    return hni_loss_check_scratch(scratch, bytes, function);
}

hn_status hni_loss_psc(const char *function, const hn_loss_psc_options *options, float prototypes_beta,
                       const hn_cmatf *z, const hn_cmatf *prototypes, const int32_t *labels, double *loss,
                       float *row_loss, hn_matf *dz, hn_matf *dprototypes, const hn_scratch *scratch)
{
    hn_loss_psc_options o;
    int64_t valid = 0;
    HNI_TRY(check(function, &o, options, z, prototypes, labels, dz, dprototypes, scratch, &valid));
    work w = {.o = &o, .labels = labels, .per_class = o.prototypes_per_class};
    w.d = (hni_denominator){.num_threads = o.num_threads,
                            .normalize = o.normalize,
                            .temperature = o.temperature,
                            .grad_scale = o.grad_scale,
                            .x_beta = o.grad_beta,
                            .y_beta = prototypes_beta,
                            .x = z,
                            .x_labels = labels,
                            .y = prototypes,
                            .dx = dz,
                            .dy = dprototypes,
                            .arg = &w,
                            .adjust = adjust,
                            .weigh = weigh,
                            .pull = pull,
                            .pull_keys = pull_keys};
    (void)carve(&w, z->rows, prototypes->rows, z->cols, scratch->data);
    const double divisor = hni_loss_divisor(o.reduction, valid);
    w.factor = o.one_over_m ? 1.0 / (double)w.per_class : 1.0;
    w.weight = w.factor / divisor;
    if (valid == 0 || (prototypes->rows == w.per_class && !o.include_own)) {
        for (int64_t i = 0; i < z->rows; ++i)
            w.row[i] = 0.0;
        hni_loss_give(dz, o.grad_beta, NULL);
        hni_loss_give(dprototypes, prototypes_beta, NULL);
    } else {
        hni_denominator_take(&w.d);
        hni_denominator_run(&w.d);
    }
    hni_loss_reduce(z->rows, w.row, divisor, loss, row_loss);
    return HN_OK;
}

hn_status hn_loss_psc(const hn_loss_psc_options *options, const hn_cmatf *z, const hn_cmatf *prototypes,
                      const int32_t *labels, double *loss, float *row_loss, hn_matf *dz, hn_matf *dprototypes,
                      const hn_scratch *scratch)
{
    /* The prototypes' factor is the common one, which is checked with the rest of the options. */
    hn_loss_psc_options o;
    HNI_TRY(read_options(&o, options, "hn_loss_psc"));
    return hni_loss_psc("hn_loss_psc", &o, o.grad_beta, z, prototypes, labels, loss, row_loss, dz, dprototypes,
                        scratch);
}
