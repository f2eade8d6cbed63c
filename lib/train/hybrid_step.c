/* The step: what each branch makes of its batch, and the update.
 *
 * A batch that does not run at once goes through the network in parts, twice (Gao et al. 2021, GradCache): forward alone, for
 * the rows the loss needs together; then forward and backward, each part with its share of the loss's gradient. What is
 * held for backward is one part's.                                                                                      */
#include "train/hybrid.h"

#include "base/error.h"
#include "base/options.h"

#include <hybridnet/gradients.h>

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* ---- parts ---------------------------------------------------------------------------------------------------------- */

int64_t hni_hybrid_parts(const hn_hybrid *h, int64_t n)
{
    return (n + h->at_once - 1) / h->at_once;
}

hni_rows hni_hybrid_part(const hn_hybrid *h, int64_t n, int64_t part)
{
    const int64_t parts = hni_hybrid_parts(h, n);
    return (hni_rows){part * n / parts, (part + 1) * n / parts};
}

hn_tensor hni_hybrid_rows(const hn_tensor *tensor, hni_rows rows)
{
    const size_t row_bytes = hn_tensor_bytes(tensor) / (size_t)tensor->desc.dim[0];
    hn_tensor view = hni_tensor_view((char *)tensor->data + (size_t)rows.begin * row_bytes, &tensor->desc);
    view.desc.dim[0] = rows.end - rows.begin;
    return view;
}

/* ---- one branch ----------------------------------------------------------------------------------------------------- */

/* What is on the way of one batch through the network. */
typedef struct passage {
    hn_hybrid *h;
    const hni_branch *branch;
    const hn_tensor *images;
    const hn_tensor *output; /* of the last part that went forward */
    int64_t n;
    bool uncounted; /* the backbone's running statistics do not follow this batch */
} passage;

static hn_status run(hn_exec *exec, bool counted, const hn_tensor *x, const hn_tensor **y)
{
    return counted ? hn_exec_forward(exec, x, y) : hn_exec_forward_again(exec, x, y);
}

static hn_status forward(passage *p, hni_rows rows, bool again)
{
    const hn_tensor images = hni_hybrid_rows(p->images, rows), *features;
    HNI_TRY(
        run(p->h->frozen ? p->h->backbone_infer : p->h->backbone_train, !again && !p->uncounted, &images, &features));
    return run(p->branch->train, !again, features, &p->output);
}

/* Of the rows that went forward last. */
static hn_status backward(const passage *p, hni_rows rows)
{
    const hn_tensor gradient = hni_hybrid_rows(p->branch->gradient, rows);
    if (p->h->frozen)
        return hn_exec_backward(p->branch->train, &gradient, NULL);
    hn_tensor features_gradient = hni_hybrid_rows(p->h->features_gradient, (hni_rows){0, rows.end - rows.begin});
    HNI_TRY(hn_exec_backward(p->branch->train, &gradient, &features_gradient));
    return hn_exec_backward(p->h->backbone_train, &features_gradient, NULL);
}

/* The output of all rows, for the loss. */
static hn_status collect(passage *p, hn_tensor *all)
{
    const int64_t parts = hni_hybrid_parts(p->h, p->n);
    for (int64_t k = 0; k < parts; ++k) {
        const hni_rows rows = hni_hybrid_part(p->h, p->n, k);
        HNI_TRY(forward(p, rows, false));
        if (parts == 1) {
            *all = *p->output;
            return HN_OK;
        }
        const hn_tensor share = hni_hybrid_rows(p->branch->output, rows);
        memcpy(share.data, p->output->data, hn_tensor_bytes(&share));
    }
    *all = hni_hybrid_rows(p->branch->output, (hni_rows){0, p->n});
    return HN_OK;
}

/* Backward of all rows, from the last part on, of which the network still holds everything. */
static hn_status spread(passage *p)
{
    const int64_t parts = hni_hybrid_parts(p->h, p->n);
    for (int64_t k = parts - 1; k >= 0; --k) {
        const hni_rows rows = hni_hybrid_part(p->h, p->n, k);
        if (k < parts - 1)
            HNI_TRY(forward(p, rows, true));
        HNI_TRY(backward(p, rows));
    }
    return HN_OK;
}

/* Before a loss with a queue takes the rows. */
static hn_status check_output(const char *name, const hn_batch *batch, const hn_tensor *output)
{
    const int64_t rows = output->desc.dim[0], width = output->desc.dim[1];
    const float *value = output->data;
    for (int64_t at = 0; at < rows * width; ++at) {
        if (isfinite(value[at]))
            continue;
        const int64_t row = at / width;
        HNI_FAIL_IF(batch->index != NULL && batch->n > 0, HN_E_NONFINITE,
                    "hn_hybrid_step: the network puts out %g for row %" PRId64 " of the %s batch (image %" PRId64
                    ", view %" PRId64 ")",
                    (double)value[at], row, name, batch->index[row % batch->n], row / batch->n);
        return hni_fail(HN_E_NONFINITE, "hn_hybrid_step: the network puts out %g for row %" PRId64 " of the %s batch",
                        (double)value[at], row, name);
    }
    return HN_OK;
}

/* Forward, loss and backward of one branch; its gradients, weighted, add to the parameters'. */
static hn_status run_branch(hn_hybrid *h, const hni_branch *branch, const char *name, const hn_batch *batch,
                            double weight, double *value)
{
    hn_tensor output;
    passage p = {.h = h, .branch = branch, .images = batch->images, .n = batch->images->desc.dim[0]};
    p.uncounted = h->statistics == HN_STATISTICS_CLASSIFIER && branch == &h->feature && weight < 1.0;
    HNI_TRY(collect(&p, &output));
    HNI_TRY(check_output(name, batch, &output));
    hn_tensor gradient = hni_hybrid_rows(branch->gradient, (hni_rows){0, p.n});
    HNI_TRY(hn_loss_apply(branch->loss, &output, batch->labels, (float)weight, value, &gradient));
    HNI_FAIL_IF(!isfinite(*value), HN_E_NONFINITE, "hn_hybrid_step: the %s loss is %g", name, *value);
    return spread(&p);
}

/* ---- the step ------------------------------------------------------------------------------------------------------- */

static hn_status check_batch(const hn_hybrid *h, const char *name, const hn_batch *batch)
{
    char text[HNI_DESC_TEXT];
    HNI_FAIL_IF(batch == NULL || batch->images == NULL || batch->labels == NULL, HN_E_ARG,
                "hn_hybrid_step: the %s branch has a weight, but %s", name,
                batch == NULL           ? "no batch"
                : batch->images == NULL ? "its batch has no images"
                                        : "its batch has no labels");
    const hn_desc *desc = &batch->images->desc;
    HNI_FAIL_IF(desc->ndim != 4 || desc->dim[0] < 1, HN_E_SHAPE,
                "hn_hybrid_step: the %s batch is %s; it must be N x H x W x C", name, hni_desc_text(desc, text));
    HNI_FAIL_IF(desc->dim[0] > h->rows, HN_E_SHAPE,
                "hn_hybrid_step: the %s batch has %" PRId64 " rows; the network was planned for %" PRId64, name,
                desc->dim[0], h->rows);
    HNI_FAIL_IF(batch->n > 0 && desc->dim[0] % batch->n != 0, HN_E_SHAPE,
                "hn_hybrid_step: the %s batch has %" PRId64 " rows, which are no views of %" PRId64 " images", name,
                desc->dim[0], batch->n);
    return HN_OK;
}

/* The running statistics, to kept or, if back, from there. */
static void keep_buffers(hn_hybrid *h, bool back)
{
    float *kept = h->kept;
    for (int64_t i = 0; i < h->param_count; ++i) {
        const hn_tensor *buffer = h->params[i].value;
        if (h->params[i].grad != NULL)
            continue;
        memcpy(back ? buffer->data : kept, back ? kept : buffer->data, hn_tensor_bytes(buffer));
        kept += hn_tensor_count(buffer);
    }
}

/* Both branches' gradients and losses, and the norm. */
static hn_status run_branches(hn_hybrid *h, const hn_batch *feature, const hn_batch *classifier, double alpha,
                              hn_hybrid_losses *l)
{
    if (alpha > 0.0) {
        HNI_TRY(run_branch(h, &h->feature, "feature", feature, alpha, &l->loss_feature));
        l->loss += alpha * l->loss_feature;
    }
    if (alpha < 1.0) {
        HNI_TRY(run_branch(h, &h->classifier, "classifier", classifier, 1.0 - alpha, &l->loss_classifier));
        l->loss += (1.0 - alpha) * l->loss_classifier;
    }
    const int64_t first = h->frozen ? h->backbone_count : 0; /* a frozen backbone's gradients are old ones */
    return hn_gradients_clip(h->context, h->params + first, h->param_count - first, h->clip_norm, &l->gradient_norm);
}

hn_status hn_hybrid_step(hn_hybrid *h, const hn_batch *feature, const hn_batch *classifier, double alpha, double lr,
                         hn_hybrid_losses *losses)
{
    HNI_FAIL_IF(h == NULL, HN_E_ARG, "hn_hybrid_step: hybrid is NULL");
    HNI_FAIL_IF(!(alpha >= 0.0 && alpha <= 1.0), HN_E_ARG, "hn_hybrid_step: alpha is %g; it must be in [0, 1]", alpha);
    HNI_FAIL_IF(alpha > 0.0 && h->feature.head == NULL, HN_E_ARG,
                "hn_hybrid_step: alpha is %g, but the network has no projection; it must be 0", alpha);
    if (alpha > 0.0)
        HNI_TRY(check_batch(h, "feature", feature));
    if (alpha < 1.0)
        HNI_TRY(check_batch(h, "classifier", classifier));
    if (losses != NULL)
        HNI_TRY(hni_output_check(losses, "hn_hybrid_step", "losses"));
    HNI_TRY(hn_optimizer_set_lr(h->optimizer, lr));
    HNI_TRY(hn_optimizer_zero_grad(h->optimizer));
    hn_hybrid_losses l = {.struct_size = sizeof l, .loss = 0.0, .loss_feature = NAN, .loss_classifier = NAN};
    keep_buffers(h, false);
    const hn_status status = run_branches(h, feature, classifier, alpha, &l);
    if (status < 0) {
        keep_buffers(h, true);
        return status;
    }
    HNI_TRY(hn_optimizer_step(h->optimizer));
    if (losses != NULL)
        hni_options_init(losses, losses->struct_size, &l, sizeof l);
    return HN_OK;
}
