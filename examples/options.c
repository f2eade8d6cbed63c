/* options.c -- how the options of option_rows.c are read, and what "auto" means. */
#include "options.h"

#include "recipe.h"
#include "resume.h"

#include <hybridnet.h>

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const struct method methods[] = {
    {"ce", FEATURE_NONE, HN_SAMPLER_INSTANCE_BALANCED},
    {"ce-rs", FEATURE_NONE, HN_SAMPLER_CLASS_BALANCED},
    {"hybrid-sc", FEATURE_SC, HN_SAMPLER_CLASS_BALANCED},
    {"hybrid-psc", FEATURE_PSC, HN_SAMPLER_CLASS_BALANCED},
};

static const char *const dataset_names[] = {"fashion-mnist", "cifar10",      "cifar100",   "cifar100-coarse",
                                            "synthetic",     "image-folder", "image-list", "inaturalist2018"};

/* Networks for images of CIFAR's size, then those for ImageNet's. */
static const struct architecture {
    int32_t depth;
    bool large;
} architectures[] = {{8, false},  {14, false}, {20, false}, {32, false}, {44, false},
                     {56, false}, {18, true},  {34, true},  {50, true}};

/* Where Debian's package dataset-fashion-mnist puts its files. */
static const char fashion_mnist_directory[] = "/usr/share/datasets/fashion-mnist";

static void print_help(void)
{
    puts("Usage: train_hybrid [OPTION...]\n\n"
         "Trains an image classifier on long-tailed data: a few classes with many images, many with\n"
         "few. The hybrid methods are those of Wang et al., \"Contrastive learning based hybrid networks\n"
         "for long-tailed image classification\" (CVPR 2021); ce is the usual training to compare with.\n"
         "Reported are the accuracies on the balanced test set: overall (top-1) and averaged over\n"
         "classes with many (> 100), medium (20 to 100) and few (< 20) training images.\n\n"
         "Rate, epochs and batch, by default, are the paper's for CIFAR: they take hours. A first try of\n"
         "a minute, without any file, and one on CIFAR-10:\n"
         "  train_hybrid --dataset synthetic --arch resnet8 --epochs 10 --batch 64 --lr 0.1\n"
         "  train_hybrid --dataset cifar10 --data cifar-10-batches-bin --save weights.safetensors");
    option_table_help(option_rows, option_row_count, stdout);
    puts("\nEnds with 0; 1 if something failed, 2 for options that cannot be, 130 when stopped by Ctrl-C or\n"
         "SIGTERM; a sentence on stderr says what. (--eval-only is killed by them.) There may be at most 10000 "
         "classes.");
}

const struct method *options_method(const struct options *options)
{
    return &methods[options->method];
}

bool options_two_branches(const struct options *options)
{
    return options->feature_loss != FEATURE_NONE;
}

const char *options_dataset_name(const struct options *options)
{
    return dataset_names[options->dataset];
}

int32_t options_depth(const struct options *options)
{
    return architectures[options->arch].depth;
}

bool options_large_network(const struct options *options)
{
    return architectures[options->arch].large;
}

bool options_image_files(const struct options *options)
{
    return options->dataset >= IMAGE_FOLDER;
}

int32_t options_precision(const struct options *options)
{
    return options->precision == PRECISION_BF16 ? HN_BF16 : HN_F32;
}

/* The temperature that the loss's paper has. */
static double published_temperature(const struct options *o)
{
    switch (o->feature_loss) {
    case FEATURE_PSC:
        return o->dataset == CIFAR100 || o->dataset == CIFAR100_COARSE || options_image_files(o) ? 0.1 : 1.0;
    case FEATURE_KCL:
    case FEATURE_TSC:
        return 0.07;
    case FEATURE_PACO:
        return 0.05;
    default:
        return 0.1;
    }
}

/* Replaces every "auto" by its value. */
static void decide(struct options *o)
{
    if (o->feature_loss == FEATURE_AUTO)
        o->feature_loss = (int32_t)options_method(o)->feature;
    if (o->classifier_sampler == 0)
        o->classifier_sampler = options_method(o)->classifier_sampler + 1;
    if (o->data == NULL && o->dataset == FASHION_MNIST)
        o->data = fashion_mnist_directory;
    if (isnan(o->imbalance))
        o->imbalance = options_image_files(o) ? 1.0 : 100.0;
    if (isnan(o->temperature))
        o->temperature = published_temperature(o);
    if (isnan(o->warmup))
        o->warmup = 0.05 * (double)o->epochs;
    if (o->milestones.count < 0)
        o->milestones = (struct number_list){2, {0.6 * (double)o->epochs, 0.8 * (double)o->epochs}};
}

/* The recipe over what there is: its epochs count from 0 to its own number of them, or the usual one, and move along to the
 * number that the command line has. What it leaves open stays as it was.                                               */
static int add_recipe(struct options *o, const struct options *asked, int argc, char **argv)
{
    const struct options before = *o;
    struct options usual;
    int code = option_table_defaults(option_rows, option_row_count, &usual);
    o->epochs = usual.epochs;
    o->drw_epoch = usual.drw_epoch;
    o->warmup = usual.warmup;
    o->milestones = usual.milestones;
    if (code == 0)
        code = recipe_apply(asked->recipe, option_rows, option_row_count, o, &o->recipe_text);
    const int64_t epochs = o->epochs;
    o->epochs = epochs == usual.epochs ? before.epochs : epochs;
    struct options whole = *o;
    if (code == 0)
        code = option_table_parse(option_rows, option_row_count, &whole, argc, argv);
    const double ratio = (double)whole.epochs / (double)epochs;
    const int64_t recipe_drw = o->drw_epoch;
    o->drw_epoch = o->drw_epoch == 0 ? before.drw_epoch : (int64_t)floor((double)o->drw_epoch * ratio + 0.5);
    if (o->drw_epoch >= whole.epochs && ratio < 1.0) /* moved, it stays within the training */
        o->drw_epoch = whole.epochs - 1;
    if (o->drw_epoch < 1 && recipe_drw > 0 && whole.epochs > 1) /* 0 would be never */
        o->drw_epoch = 1;
    o->warmup = isnan(o->warmup) ? before.warmup : o->warmup * ratio;
    for (int32_t i = 0; i < o->milestones.count; ++i)
        o->milestones.value[i] *= ratio;
    if (o->milestones.count < 0)
        o->milestones = before.milestones;
    return code;
}

/* Only to be told something. */
static bool asks(const struct options *o)
{
    return o->help || o->version || (o->recipe != NULL && strcmp(o->recipe, "list") == 0);
}

/* What recipe and command line have to change: the defaults, or what the training in the checkpoint was begun with. */
static int begin(struct options *o, const struct options *asked)
{
    struct log_part log_kept = {0, 0};
    if (option_table_defaults(option_rows, option_row_count, o) != 0)
        return -1;
    if (asked->checkpoint == NULL || (asked->print_recipe && !asked->resume))
        return 0;
    const int code = resume_look(asked, &o->begun_text, &log_kept);
    if (code != 0 || o->begun_text == NULL)
        return code;
    if (recipe_apply_text(asked->checkpoint, o->begun_text, option_rows, option_row_count, o) != 0)
        return -2;
    o->resumed = true;
    o->log_kept = log_kept;
    return 0;
}

/* Whether two paths have the same last name in the same directory: the files need not be there. */
static bool same_place(const char *a, const char *b)
{
    const char *paths[2] = {a, b}, *names[2];
    struct stat info[2];
    for (int i = 0; i < 2; ++i) {
        char directory[PATH_MAX];
        const char *slash = strrchr(paths[i], '/');
        names[i] = slash == NULL ? paths[i] : slash + 1;
        const int length = slash == NULL || slash == paths[i] ? 1 : (int)(slash - paths[i]);
        snprintf(directory, sizeof directory, "%.*s", length, slash == NULL ? "." : paths[i]);
        if (stat(directory, &info[i]) != 0)
            return false;
    }
    return strcmp(names[0], names[1]) == 0 && info[0].st_dev == info[1].st_dev && info[0].st_ino == info[1].st_ino;
}

bool options_same_file(const char *a, const char *b)
{
    struct stat first, second;
    if (a == NULL || b == NULL || strcmp(a, b) == 0)
        return a != NULL && b != NULL;
    if (stat(a, &first) == 0 && stat(b, &second) == 0)
        return first.st_dev == second.st_dev && first.st_ino == second.st_ino;
    return same_place(a, b);
}

/* Then the recipe, then the command line: which is read before, too, since it names recipe, checkpoint and epochs. */
static int read_all(struct options *o, struct options *asked, int argc, char **argv)
{
    if (option_table_defaults(option_rows, option_row_count, o) != 0 ||
        option_table_parse(option_rows, option_row_count, o, argc, argv) != 0)
        return -1;
    *asked = *o;
    if (asks(o))
        return 0;
    int code = begin(o, asked);
    const struct options begun = *o;
    if (code == 0 && asked->recipe != NULL)
        code = add_recipe(o, asked, argc, argv);
    if (code == 0)
        code = option_table_parse(option_rows, option_row_count, o, argc, argv);
    if (code != 0)
        return code;
    decide(o);
    if (o->resumed && !options_same_file(o->log, begun.log)) /* then it is a new one */
        o->log_kept = (struct log_part){0, 0};
    return o->resumed ? resume_check(option_rows, option_row_count, &begun, o) : 0;
}

/* What was asked for is printed; it may have been for a file on a full disk. */
static int told(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 1;
    complain("what was asked for could not be printed: %s", strerror(errno));
    return -2;
}

int options_read(struct options *options, int argc, char **argv)
{
    struct options asked;
    const int code = read_all(options, &asked, argc, argv);
    if (code == -1)
        fputs("train_hybrid --help lists all options.\n", stderr);
    if (code != 0)
        return code;
    const bool list = options->recipe != NULL && strcmp(options->recipe, "list") == 0;
    if (options->help)
        print_help();
    else if (options->version)
        printf("train_hybrid, libhybridnet %s (%s)\n", hn_version_string(), hn_build_info());
    else if (list)
        recipe_list(stdout);
    if (asks(options))
        return told();
    if (options->print_recipe) {
        if (options_check_texts(options) != 0)
            return -1;
        options_print(options, stdout);
        return told();
    }
    return options_check(options, &asked);
}

void options_release(struct options *options)
{
    free(options->recipe_text);
    free(options->begun_text);
    options->recipe_text = options->begun_text = NULL;
}

void options_print(const struct options *options, FILE *stream)
{
    recipe_print(option_rows, option_row_count, options, stream);
}

void options_log(const struct options *options, struct event_log *log)
{
    for (size_t i = 0; i < option_row_count; ++i) {
        char key[32] = "", text[32];
        const void *field = (const char *)options + option_rows[i].offset;
        snprintf(key, sizeof key, "%s", option_rows[i].name);
        for (char *c = key; *c != '\0'; ++c)
            *c = *c == '-' ? '_' : *c;
        const struct number_list *list = field;
        switch (option_rows[i].kind) {
        case OPTION_INTEGER:
            event_integer(log, key, *(const int64_t *)field);
            break;
        case OPTION_REAL:
            event_number(log, key, *(const double *)field);
            break;
        case OPTION_CHOICE:
            option_choice_text(&option_rows[i], *(const int32_t *)field, text, sizeof text);
            event_text(log, key, text);
            break;
        case OPTION_TEXT:
            event_text(log, key, *(const char *const *)field);
            break;
        case OPTION_LIST:
            event_numbers(log, key, list->value, list->count);
            break;
        case OPTION_SWITCH:
            event_flag(log, key, *(const bool *)field);
            break;
        case OPTION_HEADING:
            break;
        }
    }
}
