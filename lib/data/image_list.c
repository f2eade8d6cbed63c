/* Lines "path label". */
#include "base/error.h"
#include "base/memory.h"
#include "data/image_set.h"
#include "io/lines.h"

#include <hybridnet/image_files.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CLASSES = 1 << 24 };

static const char function[] = "hn_dataset_open_image_list";

/* Where a path was, to find the ones that are there twice. */
struct place {
    const char *path;
    int64_t line;
};

struct list {
    hni_image_set *set;
    const char *path; /* of the list */
    int32_t *labels;
    struct place *places;
    int64_t label_capacity, place_capacity;
    int32_t classes;
};

#define FAIL_LINE_IF(condition, what, ...) \
    HNI_FAIL_IF(condition, HN_E_FORMAT, "%s: %s: line %" PRId64 what, function, l->path, number, __VA_ARGS__)

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The label behind the line's last blank; *size becomes the path's. */
static hn_status split(const struct list *l, char *line, int64_t number, size_t *size, int32_t *label)
{
    size_t end = *size;
    while (end > 0 && is_blank(line[end - 1]))
        --end;
    size_t begin = end;
    while (begin > 0 && !is_blank(line[begin - 1]))
        --begin;
    line[end] = '\0';
    size_t path_end = begin;
    while (path_end > 0 && is_blank(line[path_end - 1]))
        --path_end;
    FAIL_LINE_IF(begin == 0, " has no label: \"%.200s\"; it must be a path, a blank and a label", line);
    FAIL_LINE_IF(path_end == 0, " has no path: \"%.200s\"", line);
    int64_t value = 0;
    for (size_t i = begin; i < end; ++i) {
        FAIL_LINE_IF(line[i] < '0' || line[i] > '9', ": the label \"%.200s\" is no number", line + begin);
        value = 10 * value + (line[i] - '0');
        FAIL_LINE_IF(value >= MAX_CLASSES, ": the label %.200s is too large; it must be below %d", line + begin,
                     (int)MAX_CLASSES);
    }
    *size = path_end;
    *label = (int32_t)value;
    return HN_OK;
}

static hn_status add(struct list *l, const char *path, size_t size, int32_t label, int64_t number)
{
    hni_string_list *paths = &l->set->paths;
    hn_context *context = l->set->context;
    int64_t n = paths->count;
    int32_t *labels = hni_grow(context, l->labels, &l->label_capacity, n, 1, sizeof *labels, function);
    if (labels == NULL)
        return HN_E_NOMEM;
    l->labels = labels;
    struct place *places = hni_grow(context, l->places, &l->place_capacity, n, 1, sizeof *places, function);
    if (places == NULL)
        return HN_E_NOMEM;
    l->places = places;
    HNI_TRY(hni_string_list_add(paths, function, path, size));
    labels[n] = label;
    places[n] = (struct place){paths->items[n], number};
    if (label >= l->classes)
        l->classes = label + 1;
    return HN_OK;
}

static hn_status read_lines(struct list *l, hni_lines *lines)
{
    char *line;
    size_t size;
    int64_t number;
    hn_status status;
    while ((status = hni_lines_next(lines, &line, &size, &number)) == HN_OK) {
        static const char mark[] = "\xef\xbb\xbf"; /* some editors begin UTF-8 with it */
        int32_t label = 0;
        if (number == 1 && size >= 3 && memcmp(line, mark, 3) == 0) {
            line += 3;
            size -= 3;
        }
        if (strspn(line, " \t") == size)
            continue;
        HNI_TRY(split(l, line, number, &size, &label));
        HNI_TRY(add(l, line, size, label, number));
    }
    return status < 0 ? status : HN_OK;
}

static int compare(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    int order = strcmp(x->path, y->path);
    return order != 0 ? order : (x->line > y->line) - (x->line < y->line);
}

static hn_status check_twice(struct list *l)
{
    int64_t n = l->set->paths.count;
    HNI_FAIL_IF(n == 0, HN_E_FORMAT, "%s: %s lists no image", function, l->path);
    qsort(l->places, (size_t)n, sizeof *l->places, compare);
    for (int64_t i = 1; i < n; ++i) {
        const struct place *p = &l->places[i];
        HNI_FAIL_IF(strcmp(p[-1].path, p->path) == 0, HN_E_FORMAT,
                    "%s: %s: line %" PRId64 " lists %.200s, which line %" PRId64 " has listed", function, l->path,
                    p->line, p->path, p[-1].line);
    }
    return HN_OK;
}

static hn_status read_list(struct list *l)
{
    hni_lines *lines;
    HNI_TRY(hni_lines_open(&lines, l->set->context, function, l->path));
    hn_status status = read_lines(l, lines);
    hni_lines_close(lines);
    return status == HN_OK ? check_twice(l) : status;
}

hn_status hn_dataset_open_image_list(hn_dataset **out, hn_context *context, const char *root, const char *list_path)
{
    HNI_FAIL_IF(out == NULL || context == NULL, HN_E_ARG, "%s: %s is NULL", function, out == NULL ? "out" : "context");
    HNI_FAIL_IF(root == NULL || list_path == NULL, HN_E_ARG, "%s: %s is NULL", function,
                root == NULL ? "root" : "list_path");
    struct list l = {.path = list_path};
    HNI_TRY(hni_image_set_new(&l.set, context, function, root));
    hn_status status = read_list(&l);
    hni_release(context, l.places, (size_t)l.place_capacity * sizeof *l.places);
    if (status == HN_OK)
        status = hni_image_set_finish(l.set, out, function, l.labels, l.classes);
    hni_release(context, l.labels, (size_t)l.label_capacity * sizeof *l.labels);
    if (status < 0)
        hni_image_set_release(l.set);
    return status;
}
