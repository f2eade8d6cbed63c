/* A directory of classes: every line of the input is the path of an empty file in it. */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FILES = 40, MAX_LINE = 300 };

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    return walk->level == 0 ? 0 : remove(path);
}

/* Below the directory only: a path that goes up is passed over. */
static void make_file(const char *root, const uint8_t *line, size_t size)
{
    char path[1024];
    size_t head = (size_t)snprintf(path, sizeof path, "%s/", root);
    memcpy(path + head, line, size);
    path[head + size] = '\0';
    if (strlen(path + head) != size || strstr(path + head, "..") != NULL || size == 0)
        return;
    for (char *slash = strchr(path + head, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file >= 0)
        (void)close(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *root = fuzz_directory();
    const uint8_t *at = data, *end = data + size;
    for (int files = 0; at < end && files < MAX_FILES; ++files) {
        const uint8_t *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop == NULL ? end : stop;
        if (stop - at <= MAX_LINE)
            make_file(root, at, (size_t)(stop - at));
        at = stop + (stop < end);
    }
    hn_image_folder_options options;
    hn_image_folder_options_init(&options, sizeof options);
    options.allow_empty = (int32_t)(size % 2);
    hn_context *context = fuzz_begin(0, 2 * FUZZ_CONSTANT);
    hn_dataset *dataset = FUZZ_UNTOUCHED;
    hn_status status = hn_dataset_open_image_folder(&dataset, context, root, &options);
    fuzz_outcome(status, "hn_dataset_open_image_folder", dataset);
    if (status == HN_OK)
        fuzz_dataset(dataset);
    fuzz_end();
    (void)nftw(root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    return 0;
}
