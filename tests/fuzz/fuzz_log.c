/* A log of train_hybrid, and the page that hn_report makes of it: whatever the log says, no markup of its own gets in. */
#include "fuzz.h"

#include "../../examples/hn_report/page.h"

#include <stdlib.h>
#include <string.h>

static void write_page(const struct logs *logs)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return;
    const struct page page = {.title = "Runs", .logs = logs};
    if (page_write(out, &page) != 0 || fclose(out) != 0)
        fuzz_finding("there is no page");
    if (strstr(text, "<script") != NULL || strlen(text) != size)
        fuzz_finding("the log writes the page: %s", text);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_file("run.log", (fuzz_bytes){data, size});
    struct logs logs = {.trials = NULL};
    (void)fuzz_begin(128, FUZZ_CONSTANT);
    fuzz_listen();
    const int code = logs_read(&logs, path);
    (void)fuzz_heard(code != 0);
    fuzz_end();
    if (code == 0)
        write_page(&logs);
    logs_free(&logs);
    return 0;
}
