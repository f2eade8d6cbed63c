/* A directory a class. The walk goes through one path buffer; what it finds is named below the root. */
#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "data/image_set.h"
#include "io/file.h"

#include <hybridnet/image_files.h>

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { MAX_NESTED = 32, MAX_PATH = 8192 };

static const char function[] = "hn_dataset_open_image_folder";

static const hn_image_folder_options defaults = {.struct_size = sizeof defaults};

void hn_image_folder_options_init(hn_image_folder_options *options, size_t struct_size)
{
    hni_options_init(options, struct_size, &defaults, sizeof defaults);
}

typedef struct walk {
    hni_image_set *set;
    size_t root_size; /* of the path: the root and its slash */
    char path[MAX_PATH];
} walk;

/* Puts a name after the first `head` characters of the path; *size: the path's length then. */
static hn_status enter(walk *w, size_t head, const char *name, size_t *size)
{
    size_t tail = strlen(name);
    HNI_FAIL_IF(head + tail + 2 > MAX_PATH, HN_E_IO, "%s: a path below %s is longer than %d characters", function,
                w->set->root, (int)MAX_PATH);
    memcpy(w->path + head, name, tail + 1);
    *size = head + tail;
    return HN_OK;
}

static bool is_image(const char *name)
{
    static const char *const endings[] = {".jpg", ".jpeg", ".png"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot != NULL && i < sizeof endings / sizeof *endings; ++i)
        if (strcasecmp(dot, endings[i]) == 0)
            return true;
    return false;
}

/* What is found in a directory: its name is in the walk's path, `size` characters long. */
typedef hn_status visit_fn(walk *w, size_t size, bool directory, int nested);

/* Visits everything in the directory whose path, `size` characters of it, stands in the walk. */
static hn_status each_entry(walk *w, size_t size, int nested, visit_fn *visit)
{
    w->path[size] = '\0';
    DIR *dir;
    do
        dir = opendir(w->path);
    while (dir == NULL && errno == EINTR);
    if (dir == NULL)
        return hni_fail_errno(function, "open", w->path, errno);
    hn_status status = HN_OK;
    w->path[size++] = '/';
    while (status == HN_OK) {
        struct stat info;
        size_t whole = 0;
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (entry == NULL) {
            if (errno != 0) {
                w->path[size - 1] = '\0'; /* behind it stands the last entry's name, or nothing at all */
                status = hni_fail_errno(function, "read the directory", w->path, errno);
            }
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        status = enter(w, size, entry->d_name, &whole);
        if (status < 0)
            break;
        /* Inside a class a link that leads nowhere is passed over or, if it is called an image, missed by the loader. */
        const int found = stat(w->path, &info);
        if (found != 0 && !(nested > 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)))
            status = hni_fail_errno(function, "examine", w->path, errno);
        else
            status = visit(w, whole, found == 0 && S_ISDIR(info.st_mode), nested);
    }
    closedir(dir);
    return status;
}

static hn_status visit_class(walk *w, size_t size, bool directory, int nested)
{
    (void)nested;
    const char *name = w->path + w->root_size;
    return directory ? hni_string_list_add(&w->set->class_names, function, name, size - w->root_size) : HN_OK;
}

static hn_status visit_file(walk *w, size_t size, bool directory, int nested)
{
    if (directory) {
        HNI_FAIL_IF(nested >= MAX_NESTED, HN_E_FORMAT,
                    "%s: %.200s... is nested deeper than %d directories: a link that leads back?", function, w->path,
                    (int)MAX_NESTED);
        return each_entry(w, size, nested + 1, visit_file);
    }
    if (!is_image(w->path + w->root_size))
        return HN_OK;
    return hni_string_list_add(&w->set->paths, function, w->path + w->root_size, size - w->root_size);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* By directory, then by name: the order in which torchvision walks. */
static int compare_paths(const void *a, const void *b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    size_t nx = (size_t)(strrchr(x, '/') - x), ny = (size_t)(strrchr(y, '/') - y);
    int order = memcmp(x, y, nx < ny ? nx : ny);
    if (order == 0)
        order = (nx > ny) - (nx < ny);
    return order != 0 ? order : strcmp(x + nx, y + ny);
}

static hn_status find_classes(walk *w, size_t size)
{
    hni_string_list *names = &w->set->class_names;
    HNI_TRY(each_entry(w, size, 0, visit_class));
    HNI_FAIL_IF(names->count == 0, HN_E_FORMAT, "%s: %s has no sub-directory; each is a class", function, w->set->root);
    HNI_FAIL_IF(names->count > INT32_MAX, HN_E_FORMAT, "%s: %s has too many sub-directories", function, w->set->root);
    qsort(names->items, (size_t)names->count, sizeof *names->items, compare_names);
    return HN_OK;
}

static hn_status find_images(walk *w, const hn_image_folder_options *o)
{
    const hni_string_list *names = &w->set->class_names;
    hni_string_list *paths = &w->set->paths;
    for (int64_t c = 0; c < names->count; ++c) {
        int64_t begin = paths->count;
        size_t size = 0;
        HNI_TRY(enter(w, w->root_size, names->items[c], &size));
        HNI_TRY(each_entry(w, size, 1, visit_file));
        HNI_FAIL_IF(paths->count == begin && !o->allow_empty, HN_E_FORMAT,
                    "%s: class %s of %s has no image (.jpg, .jpeg, .png)", function, names->items[c], w->set->root);
        if (paths->count > begin)
            qsort(paths->items + begin, (size_t)(paths->count - begin), sizeof *paths->items, compare_paths);
    }
    HNI_FAIL_IF(paths->count == 0, HN_E_FORMAT, "%s: %s has no image (.jpg, .jpeg, .png)", function, w->set->root);
    return HN_OK;
}

/* Paths are in the order of the classes, and begin with the class's name. */
static hn_status finish(hni_image_set *set, hn_dataset **out)
{
    const hni_string_list *names = &set->class_names;
    size_t bytes = (size_t)set->paths.count * sizeof(int32_t);
    int32_t *labels = hni_alloc(set->context, bytes), label = 0;
    if (labels == NULL)
        return hni_no_memory(function, bytes);
    for (int64_t i = 0; i < set->paths.count; ++i) {
        const char *path = set->paths.items[i];
        for (;; ++label) {
            size_t size = strlen(names->items[label]);
            if (strncmp(path, names->items[label], size) == 0 && path[size] == '/')
                break;
        }
        labels[i] = label;
    }
    hn_status status = hni_image_set_finish(set, out, function, labels, (int32_t)names->count);
    hni_release(set->context, labels, bytes);
    return status;
}

static hn_status read_folder(hni_image_set *set, const hn_image_folder_options *o)
{
    walk *w = hni_alloc(set->context, sizeof *w);
    if (w == NULL)
        return hni_no_memory(function, sizeof *w);
    w->set = set;
    size_t size = 0;
    hn_status status = enter(w, 0, set->root, &size);
    w->root_size = size + 1;
    if (status == HN_OK)
        status = find_classes(w, size);
    if (status == HN_OK)
        status = find_images(w, o);
    hni_release(set->context, w, sizeof *w);
    return status;
}

hn_status hn_dataset_open_image_folder(hn_dataset **out, hn_context *context, const char *directory,
                                       const hn_image_folder_options *options)
{
    hn_image_folder_options o = defaults;
    hni_image_set *set;
    HNI_FAIL_IF(out == NULL || context == NULL || directory == NULL, HN_E_ARG, "%s: %s is NULL", function,
                out == NULL ? "out" : (context == NULL ? "context" : "directory"));
    HNI_TRY(hni_options_read(&o, sizeof o, options, function));
    HNI_FAIL_IF(o.allow_empty != 0 && o.allow_empty != 1, HN_E_ARG, "%s: allow_empty is %d; it must be 0 or 1",
                function, (int)o.allow_empty);
    HNI_TRY(hni_image_set_new(&set, context, function, directory));
    hn_status status = read_folder(set, &o);
    if (status == HN_OK)
        status = finish(set, out);
    if (status < 0)
        hni_image_set_release(set);
    return status;
}
