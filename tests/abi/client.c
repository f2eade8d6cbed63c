/* client.c -- a program as it was written for 0.1.0: a layer of its own, the losses on its arrays, a training of two epochs.
 * It is compiled twice, against the headers of 0.1.0 (tests/abi/0.1.0) and against today's, both are linked with today's
 * library, and clients.sh has them print the same. Bytes behind each struct that the library fills, or is told the size of,
 * show if it goes beyond the end of the older ones.                                                                       */
#include <hybridnet.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLASSES = 10, SIDE = 32, FEATURES = 64, DIM = 16, BATCH = 20, VIEWS = 2, IMAGES = 400, GUARD = 64, FILL = 0xA5 };

static int failures;

#define OK(call)                                                                                 \
    do {                                                                                         \
        hn_status status_ = (call);                                                              \
        if (status_ != HN_OK) {                                                                  \
            fprintf(stderr, "%d: %s: %s\n", __LINE__, hn_status_name(status_), hn_last_error()); \
            exit(1);                                                                             \
        }                                                                                        \
    } while (0)

/* A struct and bytes behind it that nobody may write. */
#define GUARDED(type, name)         \
    struct {                        \
        type o;                     \
        unsigned char guard[GUARD]; \
    } name;                         \
    memset(&name, FILL, sizeof name)

#define HOLDS(name)                                                                          \
    do {                                                                                     \
        for (int i_ = 0; i_ < GUARD; ++i_)                                                   \
            if ((name).guard[i_] != FILL) {                                                  \
                fprintf(stderr, "%d: byte %d behind " #name " was written\n", __LINE__, i_); \
                ++failures;                                                                  \
                break;                                                                       \
            }                                                                                \
        if ((name).o.struct_size != sizeof(name).o) {                                        \
            fprintf(stderr, "%d: struct_size of " #name " has changed\n", __LINE__);         \
            ++failures;                                                                      \
        }                                                                                    \
    } while (0)

/* ---- a layer of the program's own: y = 2 x ------------------------------------------------------------------------ */

static hn_status twice_plan(const void *self, const hn_desc *input, int32_t mode, int32_t threads, hn_layer_plan *plan)
{
    (void)self, (void)mode, (void)threads;
    plan->output = *input;
    return HN_OK;
}

static void twice(const float *x, float *y, const hn_desc *desc)
{
    for (int64_t i = 0; i < desc->dim[0] * desc->dim[1]; ++i)
        y[i] = 2 * x[i];
}

static hn_status twice_forward(void *self, const hn_layer_call *call)
{
    (void)self;
    twice(call->x, call->y, &call->input);
    return HN_OK;
}

static hn_status twice_backward(void *self, const hn_layer_call *call)
{
    (void)self;
    if (call->dx != NULL)
        twice(call->dy, call->dx, &call->input);
    return HN_OK;
}

static int self_of_twice;
/* What stands behind the table are no functions that a table of 0.1.0 has. */
static struct {
    hn_layer_ops o;
    unsigned char guard[GUARD];
} twice_table = {{.struct_size = sizeof twice_table.o,
                  .kind = "twice",
                  .plan = twice_plan,
                  .forward = twice_forward,
                  .backward = twice_backward},
                 {0}};

/* ---- memory that the program counts -------------------------------------------------------------------------------- */

static void *take(void *user, size_t size, size_t align)
{
    ++*(long *)user;
    return aligned_alloc(align, (size + align - 1) / align * align);
}

static void give(void *user, void *pointer, size_t size)
{
    (void)size;
    --*(long *)user;
    free(pointer);
}

/* ---- the losses on plain arrays -------------------------------------------------------------------------------------- */

static void losses(void)
{
    static float z[BATCH * DIM], p[CLASSES * DIM], dz[BATCH * DIM], logits[BATCH * CLASSES];
    static int32_t labels[BATCH];
    hn_rng rng;
    hn_rng_seed(&rng, 1, 2);
    hn_rng_fill_normal(&rng, z, BATCH * DIM, 0, 1);
    hn_rng_fill_normal(&rng, p, CLASSES * DIM, 0, 1);
    hn_rng_fill_normal(&rng, logits, BATCH * CLASSES, 0, 3);
    for (int i = 0; i < BATCH; ++i)
        labels[i] = i % (CLASSES / 2);
    const hn_cmatf rows = {z, BATCH, DIM, DIM}, prototypes = {p, CLASSES, DIM, DIM},
                   scores = {logits, BATCH, CLASSES, CLASSES};
    hn_matf gradient = {dz, BATCH, DIM, DIM};
    double sc = NAN, psc = NAN, ce = NAN;
    size_t bytes;

    GUARDED(hn_loss_sc_options, s);
    hn_loss_sc_options_init(&s.o, sizeof s.o);
    s.o.temperature = 0.2f;
    OK(hn_loss_sc_scratch(&s.o, BATCH, DIM, &bytes));
    hn_scratch scratch = {aligned_alloc(HN_SCRATCH_ALIGN, (bytes + 63) / 64 * 64 + 64), bytes};
    OK(hn_loss_sc(&s.o, &rows, labels, &sc, NULL, &gradient, &scratch));
    HOLDS(s);
    free(scratch.data);

    GUARDED(hn_loss_psc_options, t);
    hn_loss_psc_options_init(&t.o, sizeof t.o);
    OK(hn_loss_psc_scratch(&t.o, BATCH, CLASSES, DIM, &bytes));
    scratch = (hn_scratch){aligned_alloc(HN_SCRATCH_ALIGN, (bytes + 63) / 64 * 64 + 64), bytes};
    OK(hn_loss_psc(&t.o, &rows, &prototypes, labels, &psc, NULL, &gradient, NULL, &scratch));
    HOLDS(t);
    free(scratch.data);

    GUARDED(hn_loss_ce_options, c);
    hn_loss_ce_options_init(&c.o, sizeof c.o);
    c.o.label_smoothing = 0.1f;
    OK(hn_loss_ce_scratch(&c.o, BATCH, CLASSES, &bytes));
    scratch = (hn_scratch){aligned_alloc(HN_SCRATCH_ALIGN, (bytes + 63) / 64 * 64 + 64), bytes};
    OK(hn_loss_ce(&c.o, &scores, labels, &ce, NULL, NULL, &scratch));
    HOLDS(c);
    free(scratch.data);
    printf("sc %a psc %a ce %a dz %a\n", sc, psc, ce, (double)dz[7]);
}

/* ---- a training ---------------------------------------------------------------------------------------------------------- */

static hn_loader *loader(hn_context *context, hn_dataset *set, int32_t kind, int32_t views, int random)
{
    hn_loader *out = NULL;
    hn_sampler *sampler = NULL;
    GUARDED(hn_sampler_options, s);
    hn_sampler_options_init(&s.o, sizeof s.o);
    OK(hn_sampler_create(&sampler, context, kind, hn_dataset_labels(set), hn_dataset_count(set), CLASSES, &s.o));
    HOLDS(s);
    GUARDED(hn_augment_options, a);
    hn_augment_options_init(&a.o, sizeof a.o);
    if (random) {
        a.o.crop_padding = 4;
        a.o.flip = 1;
        a.o.grayscale = 0.2f;
    }
    GUARDED(hn_loader_options, l);
    hn_loader_options_init(&l.o, sizeof l.o);
    l.o.batch = BATCH;
    l.o.views = views;
    l.o.drop_last = random;
    l.o.augment = &a.o;
    OK(hn_loader_create(&out, context, set, sampler, &l.o));
    HOLDS(a);
    HOLDS(l);
    return out;
}

static hn_hybrid *network(hn_context *context)
{
    hn_hybrid *hybrid = NULL;
    GUARDED(hn_hybrid_parts, parts);
    memset(&parts.o, 0, sizeof parts.o);
    parts.o.struct_size = sizeof parts.o;
    GUARDED(hn_resnet_cifar_options, r);
    hn_resnet_cifar_options_init(&r.o, sizeof r.o);
    r.o.depth = 8;
    OK(hn_resnet_cifar_create(&parts.o.backbone, context, &r.o));
    HOLDS(r);
    GUARDED(hn_projection_options, p);
    hn_projection_options_init(&p.o, sizeof p.o);
    p.o.in = FEATURES;
    p.o.out = DIM;
    hn_layer *head = NULL, *own = NULL;
    OK(hn_projection_create(&head, context, &p.o));
    HOLDS(p);
    OK(hn_sequential_create(&parts.o.projection, context));
    OK(hn_layer_add_child(parts.o.projection, "head", head));
    OK(hn_layer_create(&own, context, &twice_table.o, &self_of_twice));
    OK(hn_layer_add_child(parts.o.projection, "twice", own));
    OK(hn_linear_create(&parts.o.classifier, context, FEATURES, CLASSES, 1));
    OK(hn_loss_create_psc(&parts.o.feature_loss, context, CLASSES, DIM, NULL));
    OK(hn_loss_create_ce(&parts.o.classifier_loss, context, CLASSES, NULL));
    GUARDED(hn_sgd_options, s);
    hn_sgd_options_init(&s.o, sizeof s.o);
    s.o.weight_decay = 5e-4f;
    GUARDED(hn_hybrid_options, o);
    hn_hybrid_options_init(&o.o, sizeof o.o);
    o.o.input = (hn_desc){HN_F32, 4, {(int64_t)BATCH * VIEWS, SIDE, SIDE, 3}};
    o.o.sgd = &s.o;
    OK(hn_hybrid_create(&hybrid, context, &parts.o, &o.o));
    HOLDS(parts);
    HOLDS(s);
    HOLDS(o);
    hn_rng rng;
    hn_rng_seed(&rng, 3, 4);
    OK(hn_hybrid_init_params(hybrid, &rng));
    return hybrid;
}

static void train(hn_context *context, hn_hybrid *hybrid, hn_loader *feature, hn_loader *classifier)
{
    hn_transition *transition = NULL;
    GUARDED(hn_transition_options, t);
    hn_transition_options_init(&t.o, sizeof t.o);
    t.o.total_epochs = 2;
    OK(hn_transition_create(&transition, context, &t.o));
    HOLDS(t);
    GUARDED(hn_schedule, s);
    hn_schedule_init(&s.o, sizeof s.o);
    s.o.lr = 0.05;
    for (int64_t epoch = 0; epoch < 2; ++epoch) {
        double rate, alpha;
        OK(hn_schedule_at(&s.o, (double)epoch, &rate));
        HOLDS(s);
        for (int64_t step = 0;; ++step) {
            GUARDED(hn_batch, f);
            GUARDED(hn_batch, c);
            GUARDED(hn_hybrid_losses, losses);
            f.o.struct_size = sizeof f.o;
            c.o.struct_size = sizeof c.o;
            losses.o.struct_size = sizeof losses.o;
            hn_status more = hn_loader_next(feature, &f.o), too = hn_loader_next(classifier, &c.o);
            if (more == HN_END && too == HN_END)
                break;
            OK(more);
            OK(too);
            HOLDS(f);
            OK(hn_transition_alpha(transition, epoch, step, &alpha));
            OK(hn_hybrid_step(hybrid, &f.o, &c.o, alpha, rate, &losses.o));
            HOLDS(losses);
            printf("%d %d alpha %a loss %a %a %a\n", (int)epoch, (int)step, alpha, losses.o.loss, losses.o.loss_feature,
                   losses.o.loss_classifier);
        }
    }
    hn_transition_destroy(transition);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: client WEIGHTS-FILE\n");
        return 2;
    }
    long blocks = 0;
    hn_allocator allocator = {sizeof allocator, take, give, &blocks};
    hn_context *context = NULL;
    hn_dataset *balanced = NULL, *tailed = NULL, *test = NULL;
    hn_metrics *metrics = NULL;
    GUARDED(hn_context_options, o);
    hn_context_options_init(&o.o, sizeof o.o);
    o.o.num_threads = 2;
    o.o.allocator = &allocator;
    OK(hn_context_create(&context, &o.o));
    HOLDS(o);
    losses();
    GUARDED(hn_long_tail_options, l);
    hn_long_tail_options_init(&l.o, sizeof l.o);
    l.o.ratio = 10;
    OK(hn_dataset_create_synthetic(&balanced, context, IMAGES, 5));
    OK(hn_dataset_create_synthetic(&test, context, IMAGES / 2, 6));
    OK(hn_dataset_create_long_tail(&tailed, balanced, &l.o));
    HOLDS(l);
    hn_hybrid *hybrid = network(context);
    hn_loader *feature = loader(context, tailed, HN_SAMPLER_INSTANCE_BALANCED, VIEWS, 1);
    hn_loader *classifier = loader(context, tailed, HN_SAMPLER_CLASS_BALANCED, 1, 1);
    hn_loader *tests = loader(context, test, HN_SAMPLER_INSTANCE_BALANCED, 1, 0);
    train(context, hybrid, feature, classifier);
    OK(hn_hybrid_save(hybrid, argv[1]));
    OK(hn_hybrid_load(hybrid, argv[1], 1));

    int64_t counts[CLASSES];
    hn_dataset_class_counts(tailed, counts);
    OK(hn_metrics_create(&metrics, context, CLASSES, counts));
    OK(hn_hybrid_evaluate(hybrid, tests, metrics));
    GUARDED(hn_metrics_report, report);
    report.o.struct_size = sizeof report.o;
    OK(hn_metrics_get(metrics, &report.o));
    HOLDS(report);
    printf("images %d top1 %a balanced %a f1 %a\n", (int)report.o.images, report.o.top1, report.o.balanced_accuracy,
           report.o.macro_f1);
    GUARDED(hn_param, param);
    param.o.struct_size = sizeof param.o;
    for (int64_t i = 0; i < hn_hybrid_param_count(hybrid); ++i) {
        OK(hn_hybrid_param(hybrid, i, &param.o));
        HOLDS(param);
        printf("%s %a\n", param.o.name, (double)((const float *)hn_tensor_cdata(param.o.value))[0]);
    }

    hn_metrics_destroy(metrics);
    hn_loader_destroy(tests);
    hn_loader_destroy(classifier);
    hn_loader_destroy(feature);
    hn_hybrid_destroy(hybrid);
    hn_dataset_release(test);
    hn_dataset_release(tailed);
    hn_dataset_release(balanced);
    hn_context_destroy(context);
    if (blocks != 0) {
        fprintf(stderr, "%ld blocks of memory were not given back\n", blocks);
        ++failures;
    }
    return failures > 0;
}
