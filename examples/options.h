/* options.h -- what train_hybrid can be told. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "log.h"
#include "option_table.h"

/* In the order of the table's choices. */
enum dataset_name {
    FASHION_MNIST,
    CIFAR10,
    CIFAR100,
    CIFAR100_COARSE,
    SYNTHETIC,
    IMAGE_FOLDER,
    IMAGE_LIST,
    INATURALIST
};
enum augmentation { AUGMENT_PLAIN, AUGMENT_SIM, AUGMENT_AUTO, AUGMENT_RAND, AUGMENT_RESIZED };
enum feature_kind {
    FEATURE_AUTO,
    FEATURE_NONE,
    FEATURE_SC,
    FEATURE_PSC,
    FEATURE_BCL,
    FEATURE_KCL,
    FEATURE_TSC,
    FEATURE_PACO,
    FEATURE_PROCO
};
enum classifier_kind {
    CLASSIFIER_CE,
    CLASSIFIER_SMOOTHED,
    CLASSIFIER_LABEL_AWARE,
    CLASSIFIER_FOCAL,
    CLASSIFIER_CLASS_BALANCED,
    CLASSIFIER_CLASS_BALANCED_FOCAL,
    CLASSIFIER_BALANCED_SOFTMAX,
    CLASSIFIER_LOGIT_ADJUSTMENT,
    CLASSIFIER_LDAM
};

enum { STOP_AT_NONFINITE, SKIP_NONFINITE };
enum second_stage { SECOND_NONE, SECOND_CRT, SECOND_LWS, SECOND_TAU, SECOND_NCM };
enum precision { PRECISION_F32, PRECISION_BF16 };

/* What a --method is made of. */
struct method {
    const char *name;
    enum feature_kind feature;  /* the feature branch's loss, unless --feature-loss says another    */
    int32_t classifier_sampler; /* HN_SAMPLER_*: the classifier branch's, unless --classifier-sampler */
};

struct options {
    int32_t dataset;
    const char *data; /* NULL only for the synthetic set, after options_read */
    const char *train_list, *test_list;
    int64_t image_size;
    int32_t on_corrupt; /* HN_LOADER_* */
    double imbalance;
    int32_t imbalance_profile, subset; /* HN_PROFILE_*, HN_SUBSET_* */
    int64_t subset_seed, synthetic_images;
    double validation; /* share */

    int32_t method, arch;
    int32_t feature_loss, classifier_loss; /* enum feature_kind, never AUTO after options_read; enum classifier_kind */
    int32_t classifier_sampler;            /* HN_SAMPLER_* + 1; never 0 after options_read                           */
    int32_t feature_sampler;               /* HN_SAMPLER_*                                                           */
    double temperature;
    int32_t reduction; /* HN_REDUCE_*; of the feature loss */
    int64_t projection_hidden, projection_out;
    bool psc_include_own;
    int32_t assign; /* HN_ASSIGN_* */
    int64_t prototypes, queue, drw_epoch, views;
    int32_t augmentation;                         /* enum augmentation                  */
    int32_t later_views, classifier_augmentation; /* the same + 1, 0: as --augmentation */
    int32_t transition;                           /* HN_TRANSITION_*                    */
    double alpha, separate_at;
    int64_t alpha_origin;
    int32_t statistics; /* HN_STATISTICS_* */

    int64_t epochs, batch, micro_batch;
    int32_t on_nonfinite;
    double clip_norm;
    double lr;
    struct number_list milestones;
    double lr_decay, warmup, momentum, weight_decay;
    int64_t seed;
    struct number_list seeds; /* count -1 without --seeds */

    int32_t second_stage; /* enum second_stage */
    int64_t second_epochs;
    double second_lr, tau; /* tau NAN: to be chosen */

    const char *load, *save, *log, *features, *recipe;
    int64_t log_steps; /* 0: none */
    const char *checkpoint, *export_to; /* directory; file */
    int64_t checkpoint_every, keep;
    bool resume;
    bool resumed;                   /* there is a checkpoint to go on from             */
    struct log_part log_kept;       /* what the log has to begin with then             */
    char *recipe_text, *begun_text; /* what texts may point into                       */
    bool print_recipe;
    bool eval_only;
    int64_t eval_every, threads, workers;
    int32_t engine;    /* HN_ENGINE_* */
    int32_t precision; /* enum precision */
    bool profile, quiet, help, version;
};

/* The table of all options, in the order of the help. */
extern const struct option_row option_rows[];
extern const size_t option_row_count;

/* Reads recipe and command line and decides what was left to "auto". 0: go on; 1: nothing to do, what was asked for has
 * been printed; -1: bad usage, -2: a checkpoint that cannot be used, explained on stderr. options_release in any case. */
int options_read(struct options *options, int argc, char **argv);
void options_release(struct options *options);

/* Whether they fit each other, all "auto" decided; asked: what the command line alone says. 0, or -1 after a sentence on
 * stderr.                                                                                                                */
int options_check(const struct options *options, const struct options *asked);
/* Whether their texts can be lines of a recipe: 0, or -1 after a sentence. */
int options_check_texts(const struct options *options);

/* Whether both are given and are one path, or lead to one file. */
bool options_same_file(const char *a, const char *b);

const struct method *options_method(const struct options *options);

/* Whether there is a feature branch. */
bool options_two_branches(const struct options *options);

/* "fashion-mnist", and the depth 32 of "resnet32". */
const char *options_dataset_name(const struct options *options);
int32_t options_depth(const struct options *options);

/* Whether the network is one of ImageNet's; whether the set is files of any size. */
bool options_large_network(const struct options *options);
bool options_image_files(const struct options *options);

/* HN_F32 or HN_BF16. */
int32_t options_precision(const struct options *options);

/* Writes every option as a recipe file; options is what options_read has read. */
void options_print(const struct options *options, FILE *stream);

/* Adds every option, under its name with underscores, to the event being written. */
void options_log(const struct options *options, struct event_log *log);

#endif
