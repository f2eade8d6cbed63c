/* What TSC does between steps: centroids of the classes, and which target each class has. */
#include <hybridnet/k_positive.h>

#include "base/error.h"
#include "kernel/gemm.h"
#include "kernel/rownorm.h"
#include "loss/common.h"

#include <inttypes.h>
#include <math.h>

/* ---- the assignment ------------------------------------------------------------------------------------------------- */

/* The assignment problem with costs -similarity, by shortest augmenting paths: class after class is given a target, at the
 * price of moving those that stand in the way. Duals u and v keep cost - u - v >= 0, and 0 where a class has its target.   */
typedef struct assignment {
    int64_t classes, t;
    int32_t *class_target; /* [classes], the caller's  */
    float *similarity;     /* classes x t              */
    double *u, *v;         /* [classes], [t]           */
    double *distance;      /* [t], of the targets from the class that seeks one */
    int32_t *from;         /* [t], the class before it on the way there         */
    int32_t *owner;        /* [t], the class that has it, or -1                 */
    uint8_t *settled;      /* [t], whether the distance is final                */
} assignment;

static size_t carve_assignment(assignment *a, char *base)
{
    hni_carver c = {base, 0};
    a->similarity = hni_carve(&c, a->classes * a->t, sizeof *a->similarity);
    a->u = hni_carve(&c, a->classes, sizeof *a->u);
    a->v = hni_carve(&c, a->t, sizeof *a->v);
    a->distance = hni_carve(&c, a->t, sizeof *a->distance);
    a->from = hni_carve(&c, a->t, sizeof *a->from);
    a->owner = hni_carve(&c, a->t, sizeof *a->owner);
    a->settled = hni_carve(&c, a->t, sizeof *a->settled);
    return c.used;
}

/* Dijkstra from class `seeker` to the nearest target without an owner; *far is its distance. */
static int64_t nearest_free(assignment *a, int64_t seeker, double *far)
{
    int64_t i = seeker;
    double reached = 0.0;
    for (int64_t j = 0; j < a->t; ++j) {
        a->distance[j] = (double)INFINITY;
        a->settled[j] = 0;
    }
    for (;;) {
        const float *similarity = a->similarity + i * a->t;
        int64_t next = -1;
        for (int64_t j = 0; j < a->t; ++j) {
            if (a->settled[j])
                continue;
            double distance = reached - (double)similarity[j] - a->u[i] - a->v[j];
            if (distance < a->distance[j]) {
                a->distance[j] = distance;
                a->from[j] = (int32_t)i;
            }
            if (next < 0 || a->distance[j] < a->distance[next])
                next = j;
        }
        reached = a->distance[next];
        if (a->owner[next] < 0) {
            *far = reached;
            return next;
        }
        a->settled[next] = 1;
        i = a->owner[next];
    }
}

static void assign(assignment *a)
{
    for (int64_t i = 0; i < a->classes; ++i) {
        a->u[i] = 0.0;
        a->class_target[i] = -1;
    }
    for (int64_t j = 0; j < a->t; ++j) {
        a->v[j] = 0.0;
        a->owner[j] = -1;
    }
    for (int64_t seeker = 0; seeker < a->classes; ++seeker) {
        double far;
        int64_t j = nearest_free(a, seeker, &far);
        a->u[seeker] += far;
        for (int64_t k = 0; k < a->t; ++k)
            if (a->settled[k]) {
                a->u[a->owner[k]] += far - a->distance[k];
                a->v[k] -= far - a->distance[k];
            }
        for (int64_t i = -1; i != seeker;) { /* back along the way, every class takes the target it led to */
            i = a->from[j];
            int64_t left = a->class_target[i];
            a->owner[j] = (int32_t)i;
            a->class_target[i] = (int32_t)j;
            j = left;
        }
    }
}

hn_status hn_kcl_assign_targets_scratch(int64_t classes, int64_t t, int64_t dim, size_t *bytes)
{
    static const char function[] = "hn_kcl_assign_targets_scratch";
    HNI_FAIL_IF(bytes == NULL, HN_E_ARG, "%s: bytes is NULL", function);
    HNI_TRY(hni_loss_check_extents(classes, dim, function, "centroids"));
    HNI_TRY(hni_loss_check_extents(t, dim, function, "targets"));
    HNI_FAIL_IF(t < classes, HN_E_SHAPE, "%s: %" PRId64 " targets are too few for %" PRId64 " classes", function, t,
                classes);
    if (t > 0)
        HNI_TRY(hni_loss_check_extents(classes, t, function, "the similarity matrix"));
    assignment a = {.classes = classes, .t = t};
    *bytes = carve_assignment(&a, NULL);
    return HN_OK;
}

hn_status hn_kcl_assign_targets(const hn_cmatf *centroids, const hn_cmatf *targets, int32_t *class_target,
                                const hn_scratch *scratch)
{
    static const char function[] = "hn_kcl_assign_targets";
    size_t bytes;
    HNI_TRY(hni_loss_check_matrix(centroids, function, "centroids"));
    HNI_TRY(hni_loss_check_matrix(targets, function, "targets"));
    HNI_TRY(hni_loss_check_columns(targets, centroids, function, "targets have", "centroids have"));
    HNI_FAIL_IF(class_target == NULL && centroids->rows > 0, HN_E_ARG, "%s: class_target is NULL", function);
    HNI_TRY(hn_kcl_assign_targets_scratch(centroids->rows, targets->rows, centroids->cols, &bytes));
    HNI_TRY(hni_loss_check_scratch(scratch, bytes, function));
    if (centroids->rows == 0)
        return HN_OK;
    assignment a = {.classes = centroids->rows, .t = targets->rows, .class_target = class_target};
    (void)carve_assignment(&a, scratch->data);
    /* One thread, but through a task: BLAS then asks for none of its own. */
    hni_gemm_parallel(1, false, true, a.classes, a.t, centroids->cols, 1.0f, centroids->data, centroids->ld,
                      targets->data, targets->ld, 0.0f, a.similarity, a.t);
    for (int64_t i = 0; i < a.classes * a.t; ++i)
        HNI_FAIL_IF(!isfinite(a.similarity[i]), HN_E_NONFINITE,
                    "%s: the similarity of class %" PRId64 " and target %" PRId64 " is %g", function, i / a.t, i % a.t,
                    (double)a.similarity[i]);
    assign(&a);
    return HN_OK;
}

/* ---- the centroids -------------------------------------------------------------------------------------------------- */

typedef struct means {
    int32_t *head; /* [classes], the class's last row, or -1 */
    int32_t *next; /* [n], the row before it, or -1          */
    double *sum;   /* [dim]                                  */
    float *row;    /* [dim]                                  */
} means;

static size_t carve_means(means *m, int64_t n, int64_t classes, int64_t dim, char *base)
{
    hni_carver c = {base, 0};
    m->head = hni_carve(&c, classes, sizeof *m->head);
    m->next = hni_carve(&c, n, sizeof *m->next);
    m->sum = hni_carve(&c, dim, sizeof *m->sum);
    m->row = hni_carve(&c, dim, sizeof *m->row);
    return c.used;
}

/* The inverse length of x, or 0 if it has none to speak of. */
static double inverse_length(int64_t dim, const double *x)
{
    double square = 0.0;
    for (int64_t l = 0; l < dim; ++l)
        square += x[l] * x[l];
    return square > 1e-24 && isfinite(square) ? 1.0 / sqrt(square) : 0.0;
}

/* The centroid of a class whose rows' sum, each of length 1, is m->sum. */
static void move(const means *m, int64_t dim, double momentum, float *centroid)
{
    double inverse = inverse_length(dim, m->sum);
    if (inverse == 0.0)
        return;
    for (int64_t l = 0; l < dim; ++l)
        m->sum[l] = momentum * (double)centroid[l] + (1.0 - momentum) * inverse * m->sum[l];
    inverse = inverse_length(dim, m->sum);
    for (int64_t l = 0; inverse != 0.0 && l < dim; ++l)
        centroid[l] = (float)(inverse * m->sum[l]);
}

hn_status hn_kcl_update_centroids_scratch(int64_t n, int64_t classes, int64_t dim, size_t *bytes)
{
    static const char function[] = "hn_kcl_update_centroids_scratch";
    means m;
    HNI_FAIL_IF(bytes == NULL, HN_E_ARG, "%s: bytes is NULL", function);
    HNI_TRY(hni_loss_check_extents(n, dim, function, "z"));
    HNI_TRY(hni_loss_check_extents(classes, dim, function, "centroids"));
    *bytes = carve_means(&m, n, classes, dim, NULL);
    return HN_OK;
}

hn_status hn_kcl_update_centroids(const hn_cmatf *z, const int32_t *labels, float momentum, hn_matf *centroids,
                                  const hn_scratch *scratch)
{
    static const char function[] = "hn_kcl_update_centroids";
    size_t bytes;
    int64_t valid;
    HNI_TRY(hni_loss_check_matrix(z, function, "z"));
    HNI_FAIL_IF(centroids == NULL, HN_E_ARG, "%s: centroids is NULL", function);
    const hn_cmatf c = {centroids->data, centroids->rows, centroids->cols, centroids->ld};
    HNI_TRY(hni_loss_check_matrix(&c, function, "centroids"));
    HNI_TRY(hni_loss_check_columns(&c, z, function, "centroids have", "z has"));
    HNI_FAIL_IF(!(momentum >= 0.0f && momentum <= 1.0f), HN_E_ARG, "%s: momentum is %g; it must be in [0, 1]", function,
                (double)momentum);
    HNI_TRY(hni_loss_check_labels(labels, z->rows, c.rows, function, &valid));
    HNI_TRY(hn_kcl_update_centroids_scratch(z->rows, c.rows, c.cols, &bytes));
    HNI_TRY(hni_loss_check_scratch(scratch, bytes, function));
    means m;
    (void)carve_means(&m, z->rows, c.rows, c.cols, scratch->data);
    for (int64_t y = 0; y < c.rows; ++y)
        m.head[y] = -1;
    for (int64_t i = 0; i < z->rows; ++i)
        if (labels[i] >= 0) {
            m.next[i] = m.head[labels[i]];
            m.head[labels[i]] = (int32_t)i;
        }
    for (int64_t y = 0; y < c.rows; ++y) {
        for (int64_t l = 0; l < c.cols; ++l)
            m.sum[l] = 0.0;
        for (int64_t i = m.head[y]; i >= 0; i = m.next[i]) {
            (void)hni_rownorm_row(c.cols, z->data + i * z->ld, m.row);
            for (int64_t l = 0; l < c.cols; ++l)
                m.sum[l] += (double)m.row[l];
        }
        move(&m, c.cols, (double)momentum, centroids->data + y * centroids->ld);
    }
    return HN_OK;
}
