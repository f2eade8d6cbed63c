/* options_check.c -- which options exclude or need each other: what no single row of the table can see. */
#include "options.h"

#include "character.h"

#include <hybridnet.h>

#include <math.h>
#include <string.h>

/* Whether a recipe's line gives a text back as it is: to it a blank and # begin a comment. */
static bool fits_a_line(const char *text)
{
    const size_t length = strlen(text);
    return !character_controls(text) && strchr(" \t", text[0]) == NULL &&
           strchr(" \t", text[length - 1]) == NULL && strstr(text, " #") == NULL && strstr(text, "\t#") == NULL;
}

int options_check_texts(const struct options *o)
{
    for (size_t i = 0; i < option_row_count; ++i) {
        const char *text =
            option_rows[i].kind == OPTION_TEXT ? *(const char *const *)((const char *)o + option_rows[i].offset) : NULL;
        if (text != NULL && !fits_a_line(text)) {
            complain("--%s is '%s'; in a recipe, and so with --checkpoint, it must have no control character, no blank at an "
                     "end and no # after one",
                     option_rows[i].name, text);
            return -1;
        }
    }
    return 0;
}

/* --eval-only trains nothing, --seeds makes several networks: the option that has no meaning beside it, or NULL. */
static const char *idle_option(const struct options *o)
{
    const struct {
        const char *name;
        bool given, trains, one_network;
    } rows[] = {{"save", o->save != NULL, true, true},
                {"checkpoint", o->checkpoint != NULL, true, true},
                {"second-stage", o->second_stage != SECOND_NONE, true, false},
                {"profile", o->profile, true, false},
                {"log-steps", o->log_steps > 0, true, false},
                {"features", o->features != NULL, false, true},
                {"export", o->export_to != NULL, false, true},
                {"eval-only", o->eval_only, false, true}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; ++i)
        if (rows[i].given && ((o->eval_only && rows[i].trains) || (o->seeds.count > 0 && rows[i].one_network)))
            return rows[i].name;
    return NULL;
}

static int refuse_idle(const struct options *o)
{
    const char *name = idle_option(o);
    if (name == NULL)
        return 0;
    if (o->seeds.count > 0)
        complain("--seeds makes several networks; --%s takes one", name);
    else
        complain("--eval-only trains nothing, so there is nothing for --%s", name);
    return -1;
}

/* The classifier's loss, if it makes up for the classes' sizes; else NULL. */
static const char *balances(const struct options *o)
{
    switch (o->classifier_loss) {
    case CLASSIFIER_CLASS_BALANCED:
        return "class-balanced";
    case CLASSIFIER_CLASS_BALANCED_FOCAL:
        return "class-balanced-focal";
    case CLASSIFIER_BALANCED_SOFTMAX:
        return "balanced-softmax";
    case CLASSIFIER_LOGIT_ADJUSTMENT:
        return "logit-adjustment";
    default:
        return NULL;
    }
}

/* A sampler that draws rare classes as often as the others, or more often; NULL for others, also for those that only lean
 * that way, or come to it.                                                                                              */
static const char *draws_alike(int64_t sampler)
{
    switch (sampler) {
    case HN_SAMPLER_CLASS_BALANCED:
        return "balanced";
    case HN_SAMPLER_CLASS_BALANCED_RANDOM:
        return "balanced-random";
    case HN_SAMPLER_REVERSED:
        return "reversed";
    default:
        return NULL;
    }
}

/* Such batches have no prior, or another, than the training set whose prior the loss takes off: rare classes would be
 * favoured. A training that was begun so goes on.                                                                       */
static int refuse_double_balance(const struct options *o)
{
    const char *classifier = draws_alike(o->classifier_sampler - 1), *feature = draws_alike(o->feature_sampler);
    const char *loss = balances(o);
    const bool prior = o->feature_loss == FEATURE_PACO || o->feature_loss == FEATURE_PROCO;
    if (o->eval_only || o->resumed)
        return 0;
    if (classifier != NULL && (loss != NULL || o->drw_epoch > 0))
        complain("%s%s makes up for the classes' sizes, and so does the classifier's sampler, %s; use "
                 "--classifier-sampler instance",
                 loss != NULL ? "--classifier-loss " : "--drw-epoch", loss != NULL ? loss : "", classifier);
    else if (feature != NULL && prior)
        complain("--feature-loss %s makes up for the classes' sizes, and so does --feature-sampler %s; use instance",
                 o->feature_loss == FEATURE_PACO ? "paco" : "proco", feature);
    else
        return 0;
    return -1;
}

/* An option of the command line without what it is for; a recipe may bring such options. */
static int refuse_lonely(const struct options *o, const struct options *asked)
{
    struct options usual;
    if (option_table_defaults(option_rows, option_row_count, &usual) != 0)
        return -1;
    const bool no_checkpoint = o->checkpoint == NULL, no_list = o->dataset != IMAGE_LIST;
    static const char directory[] = "checkpoint DIR, the directory of the checkpoints", list[] = "dataset image-list";
    const struct {
        const char *name, *needs;
        bool lonely;
    } rows[] = {
        {"checkpoint-every", directory, no_checkpoint && asked->checkpoint_every != usual.checkpoint_every},
        {"keep", directory, no_checkpoint && asked->keep != usual.keep},
        {"train-list", list, no_list && asked->train_list != NULL},
        {"test-list", list, no_list && asked->test_list != NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; ++i)
        if (rows[i].lonely) {
            complain("--%s needs --%s", rows[i].name, rows[i].needs);
            return -1;
        }
    return 0;
}

/* What is written last would be all there is. */
static int refuse_one_file(const struct options *o)
{
    const struct {
        const char *name, *path;
    } rows[] = {{"save", o->save},
                {"export", o->export_to},
                {"features", o->features},
                {"log", o->log},
                {"checkpoint", o->checkpoint}};
    for (size_t i = 1; i < sizeof rows / sizeof rows[0]; ++i)
        for (size_t j = 0; j < i; ++j)
            if (options_same_file(rows[i].path, rows[j].path)) {
                complain("--%s is %s, which is also --%s; each needs a file of its own", rows[i].name, rows[i].path,
                         rows[j].name);
                return -1;
            }
    if (options_same_file(o->load, o->features)) {
        complain("--features is %s, which is also --load; the weights would be lost", o->features);
        return -1;
    }
    return 0;
}

int options_check(const struct options *o, const struct options *asked)
{
    if (refuse_idle(o) != 0 || (o->checkpoint != NULL && options_check_texts(o) != 0) || refuse_lonely(o, asked) != 0 ||
        refuse_one_file(o) != 0 || refuse_double_balance(o) != 0)
        return -1;
    for (int32_t i = 0; i < o->seeds.count; ++i)
        if (o->seeds.value[i] != floor(o->seeds.value[i])) {
            complain("--seeds has %g; a seed is a whole number", o->seeds.value[i]);
            return -1;
        }
    if (o->data == NULL && o->dataset != SYNTHETIC)
        complain("--dataset %s needs --data DIR, the directory of its files", options_dataset_name(o));
    else if (o->dataset == IMAGE_LIST && (o->train_list == NULL || o->test_list == NULL))
        complain("--dataset image-list needs --%s FILE", o->train_list == NULL ? "train-list" : "test-list");
    else if (o->eval_only && o->load == NULL)
        complain("--eval-only needs --load FILE, the weights to test");
    else if (o->resume && o->checkpoint == NULL)
        complain("--resume needs --checkpoint DIR, the directory to go on from");
    else if (o->log_steps > 0 && o->log == NULL)
        complain("--log-steps needs --log FILE, the log to write the steps to");
    else if (o->seeds.count == 0)
        complain("--seeds is empty; it needs the seeds of the runs, e.g. 1,2,3");
    else if ((o->second_stage == SECOND_CRT || o->second_stage == SECOND_LWS) && o->second_epochs == 0)
        complain("--second-stage %s trains; --second-epochs is 0, and must be at least 1",
                 o->second_stage == SECOND_CRT ? "crt" : "lws");
    else if (o->second_stage != SECOND_NONE && o->classifier_loss == CLASSIFIER_LDAM)
        complain("--second-stage needs a linear classifier; --classifier-loss ldam has a normalised one");
    else if (o->second_stage == SECOND_TAU && isnan(o->tau) && o->validation == 0.0)
        complain("--second-stage tau needs --validation SHARE to choose tau by, or --tau TAU");
    else if (o->drw_epoch > 0 && (o->classifier_loss == CLASSIFIER_CLASS_BALANCED ||
                                  o->classifier_loss == CLASSIFIER_CLASS_BALANCED_FOCAL))
        complain("--drw-epoch is when class weights begin; those of --classifier-loss class-balanced are there from the "
                 "first epoch on");
    else if (o->drw_epoch >= o->epochs)
        complain("--drw-epoch is %lld; it must be below --epochs, %lld", (long long)o->drw_epoch,
                 (long long)o->epochs);
    else if (o->second_stage == SECOND_CRT && balances(o))
        complain("--second-stage crt draws the classes alike, which --classifier-loss %s would balance once more",
                 balances(o));
    else if (o->warmup > (double)o->epochs)
        complain("--warmup is %g; it must not be longer than --epochs, %lld", o->warmup, (long long)o->epochs);
    else
        return 0;
    return -1;
}
