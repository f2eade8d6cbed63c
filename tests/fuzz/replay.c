/* replay.c -- main() of a fuzz target without libFuzzer: runs it over the files it is given, and over those in the
 * directories it is given. Built by AFL++'s compiler and without an argument it takes its inputs from afl-fuzz.          */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#ifdef __AFL_FUZZ_INIT
#include <unistd.h>
__AFL_FUZZ_INIT();
#endif

static long inputs;

static int run_file(const char *path)
{
    struct stat info;
    FILE *file = fopen(path, "rb");
    const size_t size = file != NULL && fstat(fileno(file), &info) == 0 ? (size_t)info.st_size : 0;
    uint8_t *data = malloc(size + (size == 0)); /* no byte more than the input has, for the sanitizer */
    const bool good = file != NULL && data != NULL && fread(data, 1, size, file) == size;
    if (file != NULL)
        (void)fclose(file);
    if (good) {
        (void)LLVMFuzzerTestOneInput(data, size);
        ++inputs;
    } else {
        fprintf(stderr, "%s cannot be read: %s\n", path, strerror(errno));
    }
    free(data);
    return good ? 0 : -1;
}

static int run_path(const char *path)
{
    struct dirent **entries;
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode))
        return run_file(path);
    int code = 0, n = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < n; ++i) {
        char whole[4096];
        (void)snprintf(whole, sizeof whole, "%s/%s", path, entries[i]->d_name);
        if (code == 0 && stat(whole, &info) == 0 && S_ISREG(info.st_mode))
            code = run_file(whole);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    return code;
}

int main(int argc, char **argv)
{
#ifdef __AFL_FUZZ_INIT
    if (argc == 1) {
        __AFL_INIT();
        const unsigned char *data = __AFL_FUZZ_TESTCASE_BUF;
        while (__AFL_LOOP(10000))
            (void)LLVMFuzzerTestOneInput(data, (size_t)__AFL_FUZZ_TESTCASE_LEN);
        return 0;
    }
#endif
    for (int i = 1; i < argc; ++i)
        if (run_path(argv[i]) != 0)
            return 1;
    printf("%ld inputs\n", inputs);
    return inputs > 0 ? 0 : 1;
}
