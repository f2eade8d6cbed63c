/* log_check.c: whether an event of a log is one that the page can draw. */
#include "log_check.h"

#include "text.h"

#include <stdbool.h>
#include <string.h>

enum kind { NUMBER, TEXT, LIST, TABLE };

static const struct rule {
    const char *key;
    enum kind kind;
} rules[] = {
    /* start */
    {"library", TEXT},
    {"build", TEXT},
    {"dataset", TEXT},
    {"method", TEXT},
    {"arch", TEXT},
    {"feature_loss", TEXT},
    {"classifier_loss", TEXT},
    {"second_stage", TEXT},
    {"precision", TEXT},
    {"features", TEXT},
    {"imbalance", NUMBER},
    {"parameters", NUMBER},
    {"train_images", NUMBER},
    {"test_images", NUMBER},
    {"epochs", NUMBER},
    {"seed", NUMBER},
    {"class_counts", LIST},
    {"group_counts", LIST},
    /* epoch, step, second_stage, result */
    {"epoch", NUMBER},
    {"step", NUMBER},
    {"steps", NUMBER},
    {"alpha", NUMBER},
    {"loss", NUMBER},
    {"loss_feature", NUMBER},
    {"loss_classifier", NUMBER},
    {"top1", NUMBER},
    {"many", NUMBER},
    {"medium", NUMBER},
    {"few", NUMBER},
    {"macro_f1", NUMBER},
    {"g_mean", NUMBER},
    {"worst_recall", NUMBER},
    {"ece", NUMBER},
    {"many_ece", NUMBER},
    {"medium_ece", NUMBER},
    {"few_ece", NUMBER},
    {"validation", NUMBER},
    {"images_per_second", NUMBER},
    {"seconds", NUMBER},
    {"peak_rss_mib", NUMBER},
    {"tau", NUMBER},
    {"per_class", LIST},
    {"confusion", TABLE},
    {"best_epoch", NUMBER},
    {"best_validation", NUMBER},
    {"best_top1", NUMBER},
    /* seeds */
    {"seeds", LIST},
    {"top1_mean", NUMBER},
    {"many_mean", NUMBER},
    {"medium_mean", NUMBER},
    {"few_mean", NUMBER},
    {"macro_f1_mean", NUMBER},
    {"g_mean_mean", NUMBER},
    {"worst_recall_mean", NUMBER},
    {"ece_mean", NUMBER},
    {"many_ece_mean", NUMBER},
    {"medium_ece_mean", NUMBER},
    {"few_ece_mean", NUMBER},
    {"top1_deviation", NUMBER},
    {"many_deviation", NUMBER},
    {"medium_deviation", NUMBER},
    {"few_deviation", NUMBER},
    {"macro_f1_deviation", NUMBER},
    {"g_mean_deviation", NUMBER},
    {"worst_recall_deviation", NUMBER},
    {"ece_deviation", NUMBER},
    {"many_ece_deviation", NUMBER},
    {"medium_ece_deviation", NUMBER},
    {"few_ece_deviation", NUMBER},
};

static const char *const kinds[] = {"a number", "text", "a list of numbers",
                                    "a list of rows of counts, as many rows as columns"};

static bool is_list(const json_t *value)
{
    size_t i;
    const json_t *entry;
    json_array_foreach(value, i, entry) if (!json_is_number(entry) && !json_is_null(entry)) return false;
    return json_is_array(value);
}

static bool is_table(const json_t *value)
{
    const size_t rows = json_array_size(value);
    for (size_t i = 0; i < rows; ++i) {
        const json_t *row = json_array_get(value, i);
        if (!json_is_array(row) || json_array_size(row) != rows)
            return false;
        for (size_t j = 0; j < rows; ++j)
            if (!json_is_integer(json_array_get(row, j)) || json_integer_value(json_array_get(row, j)) < 0)
                return false;
    }
    return json_is_array(value);
}

static bool fits(const json_t *value, enum kind kind)
{
    switch (kind) {
    case NUMBER:
        return json_is_number(value);
    case TEXT:
        return json_is_string(value);
    case LIST:
        return is_list(value);
    default:
        return is_table(value);
    }
}

static bool is_used(const char *event)
{
    static const char *const used[] = {"start", "epoch", "step", "second_stage", "result", "seeds"};
    for (size_t i = 0; i < sizeof used / sizeof used[0]; ++i)
        if (strcmp(event, used[i]) == 0)
            return true;
    return false;
}

int log_check(const json_t *event, const char *path, long line)
{
    if (!json_is_string(json_object_get(event, "event"))) {
        complain("%s, line %ld: no \"event\"; is it a log of train_hybrid --log?", path, line);
        return -1;
    }
    if (!is_used(json_string_value(json_object_get(event, "event"))))
        return 1;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; ++i) {
        const json_t *value = json_object_get(event, rules[i].key);
        if (value != NULL && !json_is_null(value) && !fits(value, rules[i].kind)) {
            complain("%s, line %ld: \"%s\" is not %s", path, line, rules[i].key, kinds[rules[i].kind]);
            return -1;
        }
    }
    return 0;
}
