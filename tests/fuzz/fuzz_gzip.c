/* A file that may be gzip, read in pieces of all sizes: no more than the documented ratio comes out of it. */
#include "fuzz.h"

#include "io/file.h"

#include <inttypes.h>

static hn_status read_all(hni_file *file, uint64_t *total)
{
    static uint8_t piece[70000];
    static const size_t sizes[] = {1, 2, 333, 4096, sizeof piece};
    for (size_t i = 0;; ++i) {
        size_t got = 0, size = sizes[i % (sizeof sizes / sizeof sizes[0])];
        hn_status status = hni_file_read_some(file, piece, size, &got);
        if (got > size)
            fuzz_finding("%zu bytes of at most %zu", got, size);
        *total += got;
        if (status < 0)
            return status;
        if (got < size)
            return hni_file_end(file);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_file("input", (fuzz_bytes){data, size});
    hn_context *context = fuzz_begin(0, FUZZ_CONSTANT);
    hni_file *file = FUZZ_UNTOUCHED;
    hn_status status = hni_file_open(&file, context, "gzip", path);
    fuzz_outcome(status, "gzip", file);
    if (status == HN_OK) {
        uint64_t total = 0;
        status = read_all(file, &total);
        fuzz_outcome(status, "gzip", status < 0 ? FUZZ_UNTOUCHED : file);
        if (total > (hni_file_compressed(file) ? 1032 : 1) * (uint64_t)size)
            fuzz_finding("%zu bytes became %" PRIu64, size, total);
        if (status == HN_OK && hni_file_expect(file, total) < 0)
            fuzz_finding("what there was is not what may be expected: %s", hn_last_error());
        hni_file_close(file);
    }
    fuzz_end();
    return 0;
}
