/* A checkpoint, opened and brought into a small training. Hardly any input would have the checksum of its content: the one
 * that the sentence of the failure tells is put in, and the file opened again.                                         */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

enum { ROWS = 4, SIDE = 2, CHANNELS = 3, CLASSES = 3, DIM = 4, QUEUE = 4, DIGITS = 16, MAX_VALUES = 1024 };

static void must(hn_status status)
{
    if (status < 0)
        fuzz_finding("the training cannot be made: %s", hn_last_error());
}

/* Batch norm and the mean over an image, a projection, a classifier; KCL has a queue and counters to be kept. */
static hn_hybrid *make_training(hn_context *context)
{
    hn_hybrid_parts parts = {.struct_size = sizeof parts};
    hn_layer *layer;
    hn_projection_options head;
    hn_projection_options_init(&head, sizeof head);
    head.in = CHANNELS;
    head.out = DIM;
    hn_hybrid_options options;
    hn_hybrid_options_init(&options, sizeof options);
    options.input = (hn_desc){HN_F32, 4, {ROWS, SIDE, SIDE, CHANNELS}};
    must(hn_sequential_create(&parts.backbone, context));
    must(hn_batchnorm_create(&layer, context, CHANNELS, NULL));
    must(hn_layer_add_child(parts.backbone, "bn", layer));
    must(hn_global_avg_pool_create(&layer, context));
    must(hn_layer_add_child(parts.backbone, "pool", layer));
    must(hn_projection_create(&parts.projection, context, &head));
    must(hn_linear_create(&parts.classifier, context, CHANNELS, CLASSES, 1));
    must(hn_loss_create_ce(&parts.classifier_loss, context, CLASSES, NULL));
    must(hn_loss_create_kcl(&parts.feature_loss, context, CLASSES, DIM, NULL, QUEUE));
    hn_hybrid *hybrid = NULL;
    hn_rng rng;
    must(hn_hybrid_create(&hybrid, context, &parts, &options));
    hn_rng_seed(&rng, 1, 0);
    must(hn_hybrid_init_params(hybrid, &rng));
    return hybrid;
}

/* All its values, to see that a failure leaves them alone. */
static size_t values_of(const hn_hybrid *hybrid, float values[MAX_VALUES])
{
    size_t n = 0;
    for (int64_t i = 0; i < hn_hybrid_param_count(hybrid); ++i) {
        hn_param param = {.struct_size = sizeof param};
        must(hn_hybrid_param(hybrid, i, &param));
        memcpy(values + n, hn_tensor_cdata(param.value), hn_tensor_bytes(param.value));
        n += (size_t)hn_tensor_count(param.value);
    }
    return n * sizeof(float);
}

static void restore(const hn_checkpoint *checkpoint, hn_hybrid *hybrid)
{
    static float before[MAX_VALUES], after[MAX_VALUES];
    hn_training training = {.struct_size = sizeof training, .hybrid = hybrid, .epoch = -1, .step = -1};
    if (hn_checkpoint_epoch(checkpoint) < 0 || hn_checkpoint_step(checkpoint) < 0)
        fuzz_finding("epoch %lld, step %lld", (long long)hn_checkpoint_epoch(checkpoint),
                     (long long)hn_checkpoint_step(checkpoint));
    const size_t bytes = values_of(hybrid, before);
    const hn_status status = hn_checkpoint_restore(checkpoint, &training);
    (void)values_of(hybrid, after);
    if (status < 0 && (memcmp(before, after, bytes) != 0 || training.epoch != -1 || training.step != -1))
        fuzz_finding("a failure has changed the training: %s", hn_last_error());
    fuzz_outcome(status, "hn_checkpoint_restore", status < 0 ? FUZZ_UNTOUCHED : (const void *)checkpoint);
}

/* Puts the checksum that a failure's sentence tells in the place of the file's; false if there is none to be put right. */
static bool mend(uint8_t *data, size_t size)
{
    static const char told[] = "its content has the checksum ", key[] = "\"hybridnet.checksum\":\"";
    const char *sum = strstr(hn_last_error(), told);
    for (size_t at = 0; sum != NULL && at + sizeof key - 1 + DIGITS <= size; ++at)
        if (memcmp(data + at, key, sizeof key - 1) == 0) {
            memcpy(data + at + sizeof key - 1, sum + sizeof told - 1, DIGITS);
            return true;
        }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hn_context *home = NULL;
    uint8_t *copy = malloc(size + 1);
    if (copy == NULL)
        return 0;
    must(hn_context_create(&home, NULL));
    hn_hybrid *hybrid = make_training(home);
    if (size > 0)
        memcpy(copy, data, size);
    bool again = true;
    for (int pass = 0; pass < 2 && again; ++pass) {
        (void)fuzz_file("checkpoint-00000001-00000002.safetensors", (fuzz_bytes){copy, size});
        hn_context *context = fuzz_begin(128, FUZZ_CONSTANT);
        hn_checkpoint *checkpoint = FUZZ_UNTOUCHED;
        const hn_status status = hn_checkpoint_open(&checkpoint, context, fuzz_directory());
        fuzz_outcome(status, "hn_checkpoint_open", checkpoint);
        again = status == HN_E_FORMAT && mend(copy, size);
        if (status == HN_OK) {
            restore(checkpoint, hybrid);
            hn_checkpoint_close(checkpoint);
        }
        fuzz_end();
    }
    hn_hybrid_destroy(hybrid);
    hn_context_destroy(home);
    free(copy);
    return 0;
}
