#include "fuzz.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATHS = 8, PATH_SIZE = 512, GZIP_RATIO = 1032, FILLED = 4096, CAUGHT = 1 << 18 };

char fuzz_mark;

/* ---- the input ---------------------------------------------------------------------------------------------------- */

static char directory[PATH_SIZE / 2];
static uint64_t content; /* bytes of it since the last fuzz_end */

fuzz_bytes fuzz_part(fuzz_bytes *rest)
{
    static const char cut[] = "--8<--";
    const size_t length = sizeof cut - 1;
    fuzz_bytes part = *rest;
    for (size_t i = 0; i + length <= rest->size; ++i)
        if (memcmp(rest->data + i, cut, length) == 0) {
            part.size = i;
            *rest = (fuzz_bytes){rest->data + i + length, rest->size - i - length};
            return part;
        }
    *rest = (fuzz_bytes){rest->data + rest->size, 0};
    return part;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

static void remove_directory(void)
{
    (void)nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

const char *fuzz_directory(void)
{
    if (directory[0] == '\0') {
        const char *base = getenv("TMPDIR");
        (void)snprintf(directory, sizeof directory, "%.200s/hybridnet-fuzz-XXXXXX", base != NULL ? base : "/tmp");
        if (mkdtemp(directory) == NULL)
            fuzz_finding("no directory %s can be made: %s", directory, strerror(errno));
        (void)atexit(remove_directory);
    }
    return directory;
}

const char *fuzz_file(const char *name, fuzz_bytes bytes)
{
    static char paths[PATHS][PATH_SIZE];
    static unsigned turn;
    char *path = paths[turn++ % PATHS];
    (void)snprintf(path, PATH_SIZE, "%s/%.200s", fuzz_directory(), name);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool good = file >= 0 && write(file, bytes.data, bytes.size) == (ssize_t)bytes.size;
    if (file >= 0)
        good = close(file) == 0 && good;
    if (!good)
        fuzz_finding("%s cannot be written: %s", path, strerror(errno));
    const bool gzip = bytes.size >= 2 && bytes.data[0] == 0x1f && bytes.data[1] == 0x8b;
    content += gzip ? bytes.size * GZIP_RATIO : bytes.size;
    return path;
}

/* ---- memory ------------------------------------------------------------------------------------------------------- */

/* In programs with a sanitizer. */
extern int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                                     void (*on_free)(const volatile void *)) __attribute__((weak));
extern size_t __sanitizer_get_allocated_size(const volatile void *ptr) __attribute__((weak));

static struct watch {
    hn_context *context;
    bool active, whole;     /* whole: of the process, by the sanitizer's hooks */
    int64_t alive, limit;   /* bytes                                           */
    int64_t blocks, logged; /* of the context's                                */
} watch;

static void grow(size_t size)
{
    watch.alive += (int64_t)size;
    if (watch.alive > watch.limit) {
        watch.active = false;
        fuzz_finding("%" PRId64 " bytes are alive; %" PRIu64 " bytes of input may take %" PRId64, watch.alive, content,
                     watch.limit);
    }
}

static void on_malloc(const volatile void *ptr, size_t size)
{
    (void)ptr;
    if (watch.active)
        grow(size);
}

static void on_free(const volatile void *ptr)
{
    if (watch.active && ptr != NULL)
        watch.alive -= (int64_t)__sanitizer_get_allocated_size(ptr);
}

static void *take(void *user, size_t size, size_t align)
{
    (void)user;
    if (!watch.whole)
        grow(size);
    void *ptr = aligned_alloc(align, size);
    if (ptr == NULL)
        fuzz_finding("the system has no %zu bytes", size);
    memset(ptr, 0xa5, size < FILLED ? size : FILLED); /* fresh memory is not zero */
    watch.blocks++;
    return ptr;
}

static void give(void *user, void *ptr, size_t size)
{
    (void)user;
    if (!watch.whole)
        watch.alive -= (int64_t)size;
    watch.blocks--;
    free(ptr);
}

static bool one_line(const char *text)
{
    for (; *text != '\0'; ++text)
        if ((unsigned char)*text < 0x20 || *text == 0x7f || (text[0] == '\xc2' && (unsigned char)text[1] < 0xa0))
            return false;
    return true;
}

static void on_log(int32_t level, const char *text, void *user)
{
    (void)user;
    if ((level != HN_LOG_WARNING && level != HN_LOG_INFO) || text[0] == '\0' || !one_line(text))
        fuzz_finding("the log was told, at level %d: \"%s\"", (int)level, text);
}

hn_context *fuzz_begin(uint64_t per_byte, uint64_t constant)
{
    static bool hooked;
    if (!hooked && hn_context_create(&watch.context, NULL) == HN_OK) { /* OpenMP's runtime takes its memory now */
        hn_context_destroy(watch.context);
        watch.context = NULL;
    }
    if (!hooked && __sanitizer_install_malloc_and_free_hooks != NULL)
        watch.whole = __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) > 0;
    hooked = true;
    watch.alive = watch.blocks = 0;
    watch.limit = (int64_t)(content * per_byte + constant);
    watch.active = watch.whole;
    const hn_allocator allocator = {sizeof allocator, take, give, NULL};
    hn_context_options o;
    hn_context_options_init(&o, sizeof o);
    o.num_threads = 1;
    o.allocator = &allocator;
    o.log = on_log;
    if (hn_context_create(&watch.context, &o) != HN_OK)
        fuzz_finding("no context: %s", hn_last_error());
    (void)hni_fail(HN_OK, "nothing"); /* so that an old sentence is not taken for a new one */
    return watch.context;
}

void fuzz_end(void)
{
    hn_context_destroy(watch.context);
    watch.active = false;
    content = 0;
    if (watch.blocks != 0)
        fuzz_finding("%" PRId64 " blocks were not released", watch.blocks);
}

/* ---- outcomes ----------------------------------------------------------------------------------------------------- */

void fuzz_outcome(hn_status status, const char *function, const void *output)
{
    const char *sentence = hn_last_error();
    const size_t length = strlen(function);
    if (status > HN_OK || status == HN_E_INTERNAL || status == HN_E_NOMEM || status == HN_E_ARG)
        fuzz_finding("%s returned %s: %s", function, hn_status_name(status), sentence);
    if ((output == FUZZ_UNTOUCHED) != (status < 0))
        fuzz_finding("%s returned %s and has %s its output", function, hn_status_name(status),
                     output == FUZZ_UNTOUCHED ? "left" : "touched");
    if (status == HN_OK)
        return;
    if (strncmp(sentence, function, length) != 0 || strlen(sentence) < length + 10)
        fuzz_finding("%s returned %s with the sentence \"%s\"", function, hn_status_name(status), sentence);
    if (!one_line(sentence))
        fuzz_finding("the sentence has control characters: \"%s\"", sentence);
}

void fuzz_dataset(hn_dataset *dataset)
{
    const int64_t n = hn_dataset_count(dataset);
    const int32_t classes = hn_dataset_classes(dataset), *labels = hn_dataset_labels(dataset);
    const hn_image_shape shape = hn_dataset_shape(dataset);
    const size_t bytes = (size_t)shape.height * (size_t)shape.width * (size_t)shape.channels;
    if (n < 1 || classes < 1 || shape.channels < 1)
        fuzz_finding("a dataset of %" PRId64 " images, %d classes and %d channels", n, (int)classes,
                     (int)shape.channels);
    const bool watched = watch.active;
    watch.active = false; /* the image is this function's */
    uint8_t *pixels = malloc(bytes + 1);
    for (int64_t i = 0; i < n && pixels != NULL; ++i) {
        if (labels[i] < 0 || labels[i] >= classes)
            fuzz_finding("label %d of image %" PRId64 "; there are %d classes", (int)labels[i], i, (int)classes);
        if (bytes > 0 && i < 16 && hn_dataset_read(dataset, i, pixels) != HN_OK)
            fuzz_finding("image %" PRId64 " cannot be read: %s", i, hn_last_error());
        const char *name = hn_dataset_class_name(dataset, labels[i]);
        if (name != NULL && strlen(name) > 1 << 20)
            fuzz_finding("class %d has a name of %zu characters", (int)labels[i], strlen(name));
    }
    free(pixels);
    watch.active = watched;
    hn_dataset_release(dataset);
}

/* ---- what programs say ---------------------------------------------------------------------------------------------- */

static FILE *real_stdout, *real_stderr, *caught_stdout, *caught_stderr;
static char out_text[CAUGHT + 1], error_text[CAUGHT + 1];

static FILE *catcher(char *text)
{
    FILE *stream = fmemopen(text, CAUGHT, "w");
    if (stream == NULL || setvbuf(stream, NULL, _IONBF, 0) != 0)
        fuzz_finding("no stream: %s", strerror(errno));
    return stream;
}

/* The C library's variables are set, not the descriptors: a sanitizer's report must get through. */
void fuzz_listen(void)
{
    if (caught_stdout == NULL) {
        caught_stdout = catcher(out_text);
        caught_stderr = catcher(error_text);
    }
    rewind(caught_stdout);
    rewind(caught_stderr);
    out_text[0] = error_text[0] = '\0';
    real_stdout = stdout;
    real_stderr = stderr;
    stdout = caught_stdout;
    stderr = caught_stderr;
}

static void unlisten(void)
{
    if (real_stderr == NULL)
        return;
    const long out = ftell(caught_stdout), error = ftell(caught_stderr);
    out_text[out < 0 ? 0 : out] = error_text[error < 0 ? 0 : error] = '\0';
    stdout = real_stdout;
    stderr = real_stderr;
    real_stdout = real_stderr = NULL;
}

const char *fuzz_heard(bool failed)
{
    unlisten();
    const size_t length = strlen(error_text);
    if (failed && (length < 10 || error_text[length - 1] != '\n'))
        fuzz_finding("a failure without a sentence: \"%s\"", error_text);
    for (char *c = error_text; *c != '\0'; ++c)
        *c = *c == '\n' ? ' ' : *c;
    if (!one_line(error_text))
        fuzz_finding("the sentence has control characters: \"%s\"", error_text);
    return out_text;
}

void fuzz_finding(const char *format, ...)
{
    watch.active = false;
    unlisten();
    va_list arguments;
    va_start(arguments, format);
    (void)fputs("finding: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
    abort();
}
