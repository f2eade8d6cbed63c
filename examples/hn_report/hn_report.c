/* hn_report.c -- from logs of train_hybrid one HTML page that needs nothing else: tables, curves, accuracy by class
 * size, confusion matrices, maps of features. `hn_report --help` tells how to use it.
 *
 * logs.c reads logs and log_check.c judges them, feature_file.c reads features, pca.c and tsne.c compute their maps;
 * page.c is the page, with a source for each kind of section: tables.c, curves.c, classes.c, confusion.c, map.c;
 * plot.c draws, style.c is the style sheet, text.c escapes.                                                         */
#include "page.h"
#include "text.h"

#include "../beginning.h"

#include <hybridnet.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DONE = 0, FAILED = 1, BAD_USAGE = 2 };

/* No characters, which are what getopt_long says of unknown short options. */
enum { OUTPUT = 256, TITLE, FEATURES, HELP, VERSION };

static const char help[] =
    "Usage: hn_report [OPTION...] LOG...\n\n"
    "Makes one HTML page of what runs of train_hybrid did: tables of settings and scores, losses and\n"
    "accuracies by epoch, accuracy by class size, confusion matrices, maps of features. The page holds\n"
    "all it needs and opens in any browser, without a network; it can be printed.\n\n"
    "A LOG is what train_hybrid --log wrote; a run may still be going. Plots show at most 12 runs.\n\n"
    "  --output FILE    the page [report.html]\n"
    "  --title TEXT     its heading [Long-tailed image classification]\n"
    "  --features FILE  draw these features by PCA and t-SNE: the first 2000 images of what\n"
    "                   train_hybrid --features wrote; takes some seconds\n"
    "  --help           print this text and stop\n"
    "  --version        print the library's version and stop\n\n"
    "For example:\n"
    "  train_hybrid --dataset synthetic --arch resnet8 --epochs 10 --batch 64 --lr 0.1 \\\n"
    "      --log run.log --features run.safetensors\n"
    "  hn_report --features run.safetensors run.log\n";

struct options {
    const char *output, *title, *features;
};

/* 0: go on with argv[optind]; 1: what was asked for has been printed; -1: bad usage, explained. */
static int read_options(struct options *options, int argc, char **argv)
{
    static const struct option known[] = {
        {"output", required_argument, NULL, OUTPUT},     {"title", required_argument, NULL, TITLE},
        {"features", required_argument, NULL, FEATURES}, {"help", no_argument, NULL, HELP},
        {"version", no_argument, NULL, VERSION},         {NULL, 0, NULL, 0}};
    *options = (struct options){.output = "report.html", .title = "Long-tailed image classification"};
    opterr = 0;
    for (int code; (code = getopt_long(argc, argv, ":h", known, NULL)) != -1;) {
        switch (code) {
        case OUTPUT:
            options->output = optarg == NULL ? "" : optarg; /* never NULL, which an analyser does not know */
            break;
        case TITLE:
            if (optarg != NULL && *optarg != '\0') /* a page must have one */
                options->title = optarg;
            break;
        case FEATURES:
            options->features = optarg;
            break;
        case 'h':
        case HELP:
            fputs(help, stdout);
            return 1;
        case VERSION:
            printf("hn_report, libhybridnet %s\n", hn_version_string());
            return 1;
        case ':':
            complain("%s needs a value", argv[optind - 1]);
            return -1;
        default:
            if (optopt >= OUTPUT)
                complain("%s takes no value", argv[optind - 1]);
            else if (optopt != 0)
                complain("there is no option -%c", optopt);
            else
                complain("there is no option %s (or it abbreviates several)", argv[optind - 1]);
            return -1;
        }
    }
    if (optind == argc)
        complain("no log was named; a run writes one with train_hybrid --log FILE");
    else if (begins_otherwise(options->output, PAGE_BEGINNING)) /* --output *.jsonl takes the first of the logs */
        complain("the page is to be %s, where there is a file that is no page of hn_report; name another with --output",
                 options->output);
    else
        return 0;
    return -1;
}

/* The page, to be freed by the caller; NULL after a sentence. */
static char *make_page(const struct page *page, size_t *size)
{
    char *text = NULL;
    FILE *memory = open_memstream(&text, size);
    const bool made = memory != NULL && page_write(memory, page) == 0;
    const bool whole = memory != NULL && !ferror(memory);
    const bool closed = memory != NULL && fclose(memory) == 0;
    if (!whole || !closed)
        complain("not enough memory for the page");
    else if (made)
        return text;
    free(text);
    return NULL;
}

static bool write_out(FILE *file, const char *text, size_t size)
{
    const bool written = file != NULL && fwrite(text, 1, size, file) == size;
    return file != NULL && fclose(file) == 0 && written;
}

/* A new file beside the one that it is to replace, under a name that is free; NULL where there can be none. One that is
 * mounted by itself cannot be renamed over.                                                                            */
static FILE *open_beside(const char *path, char *beside, size_t room)
{
    struct stat file, other;
    const bool replaces = stat(path, &file) == 0; /* and then nobody may read it who could not before */
    int descriptor = -1;
    for (int i = 0; i < 100 && descriptor < 0 && (i == 0 || errno == EEXIST); ++i) {
        snprintf(beside, room, "%s.part%d", path, i);
        descriptor = open(beside, O_WRONLY | O_CREAT | O_EXCL, replaces ? 0600 : 0666);
    }
    if (descriptor < 0)
        return NULL;
    FILE *made = NULL;
    if (fstat(descriptor, &other) == 0 &&
        (!replaces || (file.st_dev == other.st_dev && fchmod(descriptor, file.st_mode & 0777) == 0)))
        made = fdopen(descriptor, "wb");
    if (made == NULL) {
        (void)close(descriptor);
        (void)unlink(beside);
    }
    return made;
}

/* A regular file, or one to be made, is written beside the old one, which it then replaces; what else there is (a link, a
 * pipe, a device), and a file in a directory that takes no other, is written as it is.                                  */
static int write_page(const char *path, const struct page *page)
{
    char beside[PATH_MAX + 16];
    struct stat info;
    size_t size = 0;
    char *text = make_page(page, &size);
    if (text == NULL)
        return FAILED;
    const bool plain = lstat(path, &info) != 0 || S_ISREG(info.st_mode);
    FILE *made = plain ? open_beside(path, beside, sizeof beside) : NULL;
    const bool written = made != NULL ? write_out(made, text, size) && rename(beside, path) == 0
                                      : write_out(fopen(path, "wb"), text, size);
    if (!written) {
        complain("the page \"%s\" cannot be written: %s", path, strerror(errno));
        if (made != NULL)
            (void)unlink(beside);
    }
    free(text);
    return written ? DONE : FAILED;
}

int main(int argc, char **argv)
{
    struct options options;
    struct features features = {0};
    struct logs logs = {.trials = NULL};
    int code = read_options(&options, argc, argv);
    if (code < 0)
        fputs("hn_report --help lists all options.\n", stderr);
    if (code > 0 && fflush(stdout) != 0) {
        complain("the help could not be printed: %s", strerror(errno));
        return FAILED;
    }
    if (code != 0)
        return code > 0 ? DONE : BAD_USAGE;
    for (int i = optind; i < argc && code == DONE; ++i)
        code = logs_read(&logs, argv[i]) == 0 ? DONE : FAILED;
    if (code == DONE && options.features != NULL && features_read(&features, options.features) != 0)
        code = FAILED;
    const struct page page = {options.title, &logs, options.features != NULL ? &features : NULL, options.features};
    if (code == DONE)
        code = write_page(options.output, &page);
    features_free(&features);
    logs_free(&logs);
    return code;
}
