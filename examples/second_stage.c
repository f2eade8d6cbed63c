/* second_stage.c -- the decoupled classifiers: each ends as weights of the linear layer that is there. */
#include "second_stage.h"

#include "evaluate.h"

#include <math.h>
#include <string.h>

/* Kang et al. tried 0 to 2 in steps of a tenth. */
enum { TAU_CHOICES = 21 };

/* The classifier's weights, classes x features, and its bias: [classes]. */
struct linear {
    hn_matf weight;
    float *bias;
};

static hn_status linear_of(const struct run *run, struct linear *linear)
{
    const hn_layer *layer = hn_hybrid_classifier(run->network);
    hn_param weight = {.struct_size = sizeof weight}, bias = {.struct_size = sizeof bias};
    hn_status status = hn_layer_param(layer, 0, &weight);
    if (status == HN_OK)
        status = hn_layer_param(layer, 1, &bias);
    if (status != HN_OK)
        return status;
    const int64_t *dim = hn_tensor_desc(weight.value)->dim;
    linear->weight = (hn_matf){hn_tensor_data(weight.value), dim[0], dim[1], dim[1]};
    linear->bias = hn_tensor_data(bias.value);
    return HN_OK;
}

static void no_bias(struct linear *linear)
{
    for (int64_t c = 0; c < linear->weight.rows; ++c)
        linear->bias[c] = 0.0f;
}

/* rows x columns zeros, to be destroyed by the caller. */
static hn_status create_matrix(hn_tensor **out, struct run *run, int64_t rows, int64_t columns)
{
    const hn_desc desc = {HN_F32, 2, {rows, columns}};
    return hn_tensor_create(out, run->context, &desc);
}

/* ---- trained: cRT and LWS ------------------------------------------------------------------------------------------- */

typedef hn_status (*step_fn)(struct run *run, void *state, const hn_batch *batch, double lr, double *loss);

/* Calls step for every batch of the epochs, at rates that fall like a cosine. */
static hn_status train(struct run *run, step_fn step, void *state)
{
    const struct options *o = &run->options;
    const int64_t batches = hn_loader_batches(run->data.balanced);
    hn_schedule schedule;
    hn_schedule_init(&schedule, sizeof schedule);
    schedule.kind = HN_SCHEDULE_COSINE;
    schedule.lr = o->second_lr;
    schedule.total_epochs = (double)o->second_epochs;
    progress_start(&run->progress, o->second_epochs * batches, 0, o->quiet);
    for (int64_t epoch = 0; epoch < o->second_epochs; ++epoch) {
        progress_start_epoch(&run->progress);
        for (int64_t i = 0; i < batches && !*run->interrupted; ++i) {
            hn_batch batch = {.struct_size = sizeof batch};
            double lr, loss = NAN;
            hn_status status = hn_schedule_at(&schedule, (double)epoch + (double)i / (double)batches, &lr);
            if (status == HN_OK)
                status = hn_loader_next(run->data.balanced, &batch);
            if (status == HN_END)
                status = hn_loader_next(run->data.balanced, &batch);
            if (status == HN_OK)
                status = step(run, state, &batch, lr, &loss);
            if (status != HN_OK)
                return status;
            progress_step(&run->progress, batch.n, loss, epoch + 1, o->second_epochs);
        }
    }
    progress_clear(&run->progress);
    return HN_OK;
}

static hn_status step_classifier(struct run *run, void *state, const hn_batch *batch, double lr, double *loss)
{
    hn_hybrid_losses losses = {.struct_size = sizeof losses};
    (void)state;
    hn_status status = hn_hybrid_step(run->network, NULL, batch, 0.0, lr, &losses);
    *loss = losses.loss;
    return status;
}

static hn_status retrain(struct run *run)
{
    hn_rng rng;
    hn_rng_seed(&rng, (uint64_t)run->options.seed, 0);
    hn_rng_derive(&rng, &rng, "second stage's classifier", 0);
    hn_status status = hn_hybrid_freeze_backbone(run->network, 1);
    if (status == HN_OK && run->options.drw_epoch > 0) /* the sampler balances now */
        status = hn_loss_set_class_weights(hn_hybrid_classifier_loss(run->network), NULL);
    if (status == HN_OK)
        status = hn_layer_init_params(hn_hybrid_classifier(run->network), &rng);
    return status == HN_OK ? train(run, step_classifier, NULL) : status;
}

/* A scale for each class, and what learning it takes; the tensors are batch x classes. */
struct scaling {
    float scale[MAX_CLASSES], velocity[MAX_CLASSES];
    hn_tensor *logits, *scaled, *gradient, *scratch;
};

/* scale * logits goes to cross-entropy; its gradient's products with the logits are the scales'. */
static hn_status step_scales(struct run *run, void *state, const hn_batch *batch, double lr, double *loss)
{
    struct scaling *s = state;
    const int64_t classes = run->data.classes;
    float *z = hn_tensor_data(s->logits), *y = hn_tensor_data(s->scaled), *dy = hn_tensor_data(s->gradient);
    float slope[MAX_CLASSES] = {0};
    hn_matf logits = {z, batch->n, classes, classes}, gradient = {dy, batch->n, classes, classes};
    const hn_cmatf scaled = {y, batch->n, classes, classes};
    hn_scratch scratch = {hn_tensor_data(s->scratch), hn_tensor_bytes(s->scratch)};
    hn_status status = hn_hybrid_predict(run->network, batch->images, &logits);
    for (int64_t i = 0; i < batch->n * classes && status == HN_OK; ++i)
        y[i] = z[i] * s->scale[i % classes];
    if (status == HN_OK)
        status = hn_loss_ce(NULL, &scaled, batch->labels, loss, NULL, &gradient, &scratch);
    for (int64_t i = 0; i < batch->n * classes && status == HN_OK; ++i)
        slope[i % classes] += dy[i] * z[i];
    hn_sgd_options sgd;
    hn_sgd_options_init(&sgd, sizeof sgd);
    sgd.lr = (float)lr;
    sgd.momentum = (float)run->options.momentum;
    sgd.weight_decay = (float)run->options.weight_decay;
    return status == HN_OK ? hn_sgd_update(&sgd, classes, slope, s->velocity, s->scale) : status;
}

static hn_status learn_scales(struct run *run, struct linear *linear)
{
    const int64_t rows = run->options.batch, classes = run->data.classes;
    struct scaling s = {.logits = NULL};
    size_t bytes = 0;
    for (int64_t c = 0; c < classes; ++c)
        s.scale[c] = 1.0f;
    hn_status status = hn_loss_ce_scratch(NULL, rows, classes, &bytes);
    if (status == HN_OK)
        status = create_matrix(&s.scratch, run, 1, (int64_t)(bytes / sizeof(float)) + 1);
    hn_tensor **arrays[] = {&s.logits, &s.scaled, &s.gradient};
    for (int i = 0; i < 3 && status == HN_OK; ++i)
        status = create_matrix(arrays[i], run, rows, classes);
    if (status == HN_OK)
        status = train(run, step_scales, &s);
    for (int64_t c = 0; c < classes && status == HN_OK; ++c) {
        linear->bias[c] *= s.scale[c];
        for (int64_t d = 0; d < linear->weight.cols; ++d)
            linear->weight.data[c * linear->weight.ld + d] *= s.scale[c];
    }
    hn_tensor_destroy(s.scratch);
    for (int i = 0; i < 3; ++i)
        hn_tensor_destroy(*arrays[i]);
    return status;
}

/* ---- computed: tau-normalisation and nearest class means -------------------------------------------------------------- */

/* Weights start / norms^tau, and, if asked for, how well they do on the validation images. */
static hn_status try_tau(struct run *run, struct linear *linear, const hn_tensor *start, double tau, double *accuracy)
{
    struct scores scores = {0};
    memcpy(linear->weight.data, hn_tensor_cdata(start), hn_tensor_bytes(start));
    hn_status status = hn_tau_normalize(&linear->weight, tau);
    if (status == HN_OK && accuracy != NULL)
        status = evaluate(run, run->data.validation, &scores, NULL);
    if (accuracy != NULL)
        *accuracy = scores.report.balanced_accuracy;
    return status;
}

static hn_status normalise(struct run *run, struct linear *linear, double *tau)
{
    hn_tensor *start = NULL;
    double best = -1.0, accuracy;
    hn_status status = create_matrix(&start, run, linear->weight.rows, linear->weight.cols);
    if (status != HN_OK)
        return status;
    memcpy(hn_tensor_data(start), linear->weight.data, hn_tensor_bytes(start));
    no_bias(linear);
    *tau = run->options.tau;
    for (int k = 0; isnan(run->options.tau) && k < TAU_CHOICES && status == HN_OK && !*run->interrupted; ++k) {
        status = try_tau(run, linear, start, 0.1 * k, &accuracy);
        if (status == HN_OK && accuracy > best) {
            best = accuracy;
            *tau = 0.1 * k;
        }
    }
    if (status == HN_OK && !isnan(*tau))
        status = try_tau(run, linear, start, *tau, NULL);
    hn_tensor_destroy(start);
    return status;
}

/* The sums of one pass over the training images; HN_END at its end. */
static hn_status sum_features(struct run *run, hn_tensor *features, hn_matf *sums, int64_t *counts)
{
    const int64_t dim = sums->cols;
    for (;;) {
        hn_batch batch = {.struct_size = sizeof batch};
        hn_status status = hn_loader_next(run->data.plain, &batch);
        hn_matf rows = {hn_tensor_data(features), batch.n, dim, dim};
        const hn_cmatf read = {rows.data, batch.n, dim, dim};
        if (status == HN_OK)
            status = hn_hybrid_features(run->network, batch.images, &rows);
        if (status == HN_OK)
            status = hn_class_sums_add(&read, batch.labels, sums, counts);
        if (status != HN_OK)
            return status;
    }
}

static hn_status take_means(struct run *run, struct linear *linear)
{
    const int64_t dim = linear->weight.cols, classes = linear->weight.rows;
    hn_tensor *features = NULL, *sums = NULL;
    int64_t counts[MAX_CLASSES] = {0};
    hn_status status = create_matrix(&features, run, run->options.batch, dim);
    if (status == HN_OK)
        status = create_matrix(&sums, run, classes, dim);
    if (status == HN_OK) {
        hn_matf matrix = {hn_tensor_data(sums), classes, dim, dim};
        const hn_cmatf read = {matrix.data, classes, dim, dim};
        status = sum_features(run, features, &matrix, counts);
        if (status == HN_END)
            status = hn_nearest_mean_weights(&read, counts, &linear->weight);
        if (status == HN_OK)
            no_bias(linear);
    }
    hn_tensor_destroy(features);
    hn_tensor_destroy(sums);
    return status;
}

hn_status second_stage_run(struct run *run, double *tau)
{
    struct linear linear;
    *tau = NAN;
    if (run->options.second_stage == SECOND_NONE)
        return HN_OK;
    hn_status status = linear_of(run, &linear);
    if (status != HN_OK)
        return status;
    switch (run->options.second_stage) {
    case SECOND_CRT:
        return retrain(run);
    case SECOND_LWS:
        return learn_scales(run, &linear);
    case SECOND_TAU:
        return normalise(run, &linear, tau);
    default:
        return take_means(run, &linear);
    }
}
