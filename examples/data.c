/* data.c -- opening the data sets by name, and the loaders that feed a run from them. */
#include "data.h"

#include "augmentation.h"

#include <stdio.h>
#include <string.h>

/* Seeds of the synthetic sets: different ones have no image in common. */
enum { SYNTHETIC_TRAIN_SEED = 1, SYNTHETIC_TEST_SEED = 2, SYNTHETIC_TEST_SHARE = 5 };

static const char train_json[] = "train2018.json", val_json[] = "val2018.json"; /* iNaturalist's */

/* The set below a name in the directory of --data. */
static hn_status open_below(hn_dataset **out, hn_context *context, const struct options *o, const char *name)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", o->data, name); /* what is cut off is not found */
    return o->dataset == IMAGE_FOLDER ? hn_dataset_open_image_folder(out, context, path, NULL)
                                      : hn_dataset_open_inaturalist(out, context, o->data, path);
}

static hn_status open_set(hn_dataset **out, hn_context *context, const struct options *o, bool train)
{
    int64_t n = train ? o->synthetic_images : o->synthetic_images / SYNTHETIC_TEST_SHARE;
    switch (o->dataset) {
    case FASHION_MNIST:
        return hn_dataset_open_fashion_mnist(out, context, o->data, train);
    case CIFAR10:
        return hn_dataset_open_cifar(out, context, o->data, 10, train);
    case CIFAR100:
        return hn_dataset_open_cifar(out, context, o->data, 100, train);
    case CIFAR100_COARSE:
        return hn_dataset_open_cifar100_coarse(out, context, o->data, train);
    case IMAGE_FOLDER:
        return open_below(out, context, o, train ? "train" : "val");
    case IMAGE_LIST:
        return hn_dataset_open_image_list(out, context, o->data, train ? o->train_list : o->test_list);
    case INATURALIST:
        return open_below(out, context, o, train ? train_json : val_json);
    default:
        return hn_dataset_create_synthetic(out, context, n, train ? SYNTHETIC_TRAIN_SEED : SYNTHETIC_TEST_SEED);
    }
}

/* Replaces a balanced set by its long-tailed subset. */
static hn_status cut_tail(hn_dataset **set, const struct options *o)
{
    hn_long_tail_options tail;
    hn_long_tail_options_init(&tail, sizeof tail);
    tail.ratio = o->imbalance;
    tail.profile = o->imbalance_profile;
    tail.subset = o->subset;
    tail.seed = (uint64_t)o->subset_seed;
    hn_dataset *subset = NULL;
    hn_status status = hn_dataset_create_long_tail(&subset, *set, &tail);
    if (status == HN_OK) {
        hn_dataset_release(*set);
        *set = subset;
    }
    return status;
}

/* Takes the validation images out of the training set. */
static hn_status hold_out(struct data *data, const struct options *o)
{
    hn_dataset *rest = NULL;
    hn_status status = hn_dataset_split(&rest, &data->held_out, data->train, o->validation, (uint64_t)o->subset_seed);
    if (status == HN_OK) {
        hn_dataset_release(data->train);
        data->train = rest;
    }
    return status;
}

hn_status data_open(struct data *data, hn_context *context, const struct options *options)
{
    *data = (struct data){0};
    hn_status status = open_set(&data->train, context, options, true);
    if (status == HN_OK && options->imbalance > 1.0)
        status = cut_tail(&data->train, options);
    data->classes = status == HN_OK ? hn_dataset_classes(data->train) : 0;
    if (status == HN_OK && data->classes <= MAX_CLASSES)
        hn_dataset_class_counts(data->train, data->whole);
    if (status == HN_OK && options->validation > 0.0)
        status = hold_out(data, options);
    if (status == HN_OK)
        status = open_set(&data->test, context, options, false);
    if (status != HN_OK) {
        data_close(data);
        return status;
    }
    const int32_t side = (int32_t)options->image_size;
    data->shape = options_image_files(options) ? (hn_image_shape){side, side, 3} : hn_dataset_shape(data->train);
    if (data->classes <= MAX_CLASSES)
        hn_dataset_class_counts(data->train, data->counts);
    return HN_OK;
}

/* Folders are numbered in the order of their names, categories in that of their ids, on each side by itself: the same
 * classes are the same numbers. The categories of a file need not have names.                                          */
static int check_classes(const struct data *data, const struct options *o)
{
    const bool folders = o->dataset == IMAGE_FOLDER;
    const char *one = folders ? "train" : train_json, *other = folders ? "val" : val_json;
    const int32_t classes = hn_dataset_classes(data->test);
    if (!folders && classes != data->classes) {
        complain("%s has %d categories and %s %d; both must have the same", one, (int)data->classes, other,
                 (int)classes);
        return -1;
    }
    for (int32_t c = 0; c < classes; ++c) {
        const char *train = hn_dataset_class_name(data->train, c), *test = hn_dataset_class_name(data->test, c);
        if (train != NULL && test != NULL && strcmp(train, test) != 0) {
            complain("class %d is '%s' in %s and '%s' in %s; both must have the same %s", (int)c, train, one, test,
                     other, folders ? "directories" : "categories");
            return -1;
        }
    }
    return 0;
}

/* Two sets of IDX files may differ; image files, which have any size, are made to be of one. */
static int check_shapes(const struct data *data)
{
    const hn_image_shape a = hn_dataset_shape(data->train), b = hn_dataset_shape(data->test);
    if (a.height == b.height && a.width == b.width && a.channels == b.channels)
        return 0;
    complain("training images are of %d x %d x %d numbers, test images of %d x %d x %d; they must be of one size",
             (int)a.height, (int)a.width, (int)a.channels, (int)b.height, (int)b.width, (int)b.channels);
    return -1;
}

static int check_means(const struct data *data)
{
    for (int32_t c = 0; c < data->classes; ++c)
        if (data->counts[c] == 0) {
            complain("class %d has no training image, and so no mean for --second-stage ncm", (int)c);
            return -1;
        }
    return 0;
}

int data_check(const struct data *data, const struct options *options)
{
    const int32_t test_classes = hn_dataset_classes(data->test);
    if (data->classes > MAX_CLASSES) {
        complain("the training set has %d classes; there may be %d", (int)data->classes, (int)MAX_CLASSES);
        return -1;
    }
    if (test_classes > data->classes) {
        complain("the test set has %d classes, the training set only %d", (int)test_classes, (int)data->classes);
        return -1;
    }
    if ((options->dataset == IMAGE_FOLDER || options->dataset == INATURALIST) && check_classes(data, options) != 0)
        return -1;
    if (check_shapes(data) != 0)
        return -1;
    return options->second_stage == SECOND_NCM ? check_means(data) : 0;
}

const char *data_hint(const struct options *options, hn_status status)
{
    if (status == HN_E_ARG && options->dataset != SYNTHETIC) /* what is wanted of the images, not their files */
        return options->imbalance > 1.0 ? "try a smaller --imbalance, or 1, which keeps the whole set"
                                        : "try it without --validation";
    switch (options->dataset) {
    case FASHION_MNIST:
        return "install Debian's package dataset-fashion-mnist, or name the directory of train-images-idx3-ubyte.gz "
               "and the other three files with --data";
    case CIFAR10:
        return "--data is the directory of data_batch_1.bin ... data_batch_5.bin and test_batch.bin, CIFAR-10's "
               "binary version";
    case CIFAR100:
    case CIFAR100_COARSE:
        return "--data is the directory of train.bin and test.bin, CIFAR-100's binary version";
    case IMAGE_FOLDER:
        return "--data is a directory with train and val in it, each with a directory of JPEG or PNG files for every "
               "class";
    case IMAGE_LIST:
        return "--train-list and --test-list are text files with a path below --data and a label in each line";
    case INATURALIST:
        return "--data is the directory of train2018.json, val2018.json and the images they name";
    default:
        return "try a smaller --imbalance or more --synthetic-images";
    }
}

int64_t data_rows(const struct options *options)
{
    return options_two_branches(options) ? options->batch * options->views : options->batch;
}

/* A loader of set in the order of a sampler. purpose tells its random numbers from the other loaders'. */
static hn_status start_loader(hn_loader **out, hn_context *context, hn_dataset *set, int32_t sampler_kind,
                              hn_loader_options loading, const struct options *o, const char *purpose)
{
    hn_rng rng;
    hn_rng_seed(&rng, (uint64_t)o->seed, 0);
    hn_rng_derive(&rng, &rng, purpose, 0);
    loading.seed = hn_rng_u64(&rng);
    hn_sampler_options sampling;
    hn_sampler_options_init(&sampling, sizeof sampling);
    sampling.seed = hn_rng_u64(&rng);
    sampling.epoch_length = hn_dataset_count(set);
    sampling.total_epochs = o->epochs;
    hn_sampler *sampler = NULL;
    hn_status status = hn_sampler_create(&sampler, context, sampler_kind, hn_dataset_labels(set), hn_dataset_count(set),
                                         hn_dataset_classes(set), &sampling);
    if (status == HN_OK)
        status = hn_loader_create(out, context, set, sampler, &loading);
    if (status != HN_OK)
        hn_sampler_destroy(sampler);
    return status;
}

/* The loaders of a second stage, which has batches of --batch images. */
static hn_status start_second(struct data *data, hn_context *context, hn_loader_options loading,
                              const hn_augment_options *plain, const struct options *o)
{
    switch (o->second_stage) {
    case SECOND_CRT:
    case SECOND_LWS:
        return start_loader(&data->balanced, context, data->train, HN_SAMPLER_CLASS_BALANCED, loading, o,
                            "second stage");
    case SECOND_NCM:
        loading.augment = plain;
        return start_loader(&data->plain, context, data->train, HN_SAMPLER_INSTANCE_BALANCED, loading, o,
                            "second stage");
    default:
        return HN_OK;
    }
}

hn_status data_start_loaders(struct data *data, hn_context *context, const struct options *options)
{
    hn_augment_options plain = augmentation_plain(options);
    hn_augment_options random = augmentation_random(options, options->augmentation);
    hn_augment_options later = augmentation_random(options, options->later_views - 1);
    hn_augment_options classifier = options->classifier_augmentation > 0
                                        ? augmentation_random(options, options->classifier_augmentation - 1)
                                        : random;
    hn_loader_options loading;
    hn_loader_options_init(&loading, sizeof loading);
    loading.workers = (int32_t)options->workers;
    loading.batch = data_rows(options);
    loading.augment = &plain;
    hn_status status =
        start_loader(&data->testing, context, data->test, HN_SAMPLER_INSTANCE_BALANCED, loading, options, "testing");
    if (status == HN_OK && data->held_out != NULL)
        status = start_loader(&data->validation, context, data->held_out, HN_SAMPLER_INSTANCE_BALANCED, loading,
                              options, "validation");
    if (status != HN_OK || options->eval_only)
        return status;
    loading.on_corrupt = options->on_corrupt; /* not of tests: another image would change the score */
    loading.batch = options->batch;
    loading.augment = &classifier;
    status = start_second(data, context, loading, &plain, options);
    if (status == HN_OK)
        status = start_loader(&data->classifier, context, data->train, options->classifier_sampler - 1, loading,
                              options, "classifier branch");
    if (status != HN_OK || !options_two_branches(options))
        return status;
    loading.augment = &random;
    loading.views = (int32_t)options->views;
    loading.augment_later = options->later_views > 0 ? &later : NULL;
    return start_loader(&data->feature, context, data->train, options->feature_sampler, loading, options,
                        "feature branch");
}

hn_status data_begin_epoch(struct data *data, const struct options *options, int64_t epoch)
{
    hn_status status = HN_OK;
    if (options->classifier_sampler - 1 == HN_SAMPLER_PROGRESSIVE)
        status = hn_loader_seek(data->classifier, epoch, 0);
    if (status == HN_OK && data->feature != NULL && options->feature_sampler == HN_SAMPLER_PROGRESSIVE)
        status = hn_loader_seek(data->feature, epoch, 0);
    return status;
}

int64_t data_skipped(const struct data *data)
{
    return hn_loader_skipped(data->feature) + hn_loader_skipped(data->classifier) + hn_loader_skipped(data->balanced) +
           hn_loader_skipped(data->plain);
}

void data_close(struct data *data)
{
    hn_loader_destroy(data->plain);
    hn_loader_destroy(data->balanced);
    hn_loader_destroy(data->validation);
    hn_loader_destroy(data->feature);
    hn_loader_destroy(data->classifier);
    hn_loader_destroy(data->testing);
    hn_dataset_release(data->train);
    hn_dataset_release(data->test);
    hn_dataset_release(data->held_out);
    *data = (struct data){0};
}
