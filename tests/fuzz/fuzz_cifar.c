/* CIFAR's binary files. Their records are long and almost all of it is pixels, any of which will do; so that a mutation
 * of the input is one of what matters, a file is written for every part of it: its first two bytes say how many bytes
 * follow the last record, each of the others is a label (of CIFAR-100, two) with its pixels. The input's first byte says
 * which of the sets.                                                                                                     */
#include "fuzz.h"

#include <string.h>

enum { PIXELS = 3072, RECORDS = 40 };

static const char *const names[3][5] = {
    {"test_batch.bin"},
    {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"},
    {"test.bin"}};

static void write_file(const char *name, fuzz_bytes part, size_t head)
{
    static uint8_t file[RECORDS * (PIXELS + 2) + 65536];
    size_t size = 0, extra = part.size < 2 ? 0 : (size_t)part.data[0] << 8 | part.data[1];
    for (size_t at = 2; at + head <= part.size && at / head < RECORDS; at += head) {
        memcpy(file + size, part.data + at, head);
        memset(file + size + head, part.data[at], PIXELS);
        size += head + PIXELS;
    }
    memset(file + size, 1, extra);
    (void)fuzz_file(name, (fuzz_bytes){file, size + extra});
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const unsigned kind = size > 0 ? data[0] % 4 : 0; /* 3: coarse labels */
    const char *const *files = names[kind == 3 ? 2 : kind];
    fuzz_bytes rest = {data + (size > 0), size - (size > 0)};
    for (int i = 0; i < 5 && files[i] != NULL; ++i)
        write_file(files[i], fuzz_part(&rest), kind >= 2 ? 2 : 1);
    hn_context *context = fuzz_begin(2, FUZZ_CONSTANT);
    hn_dataset *dataset = FUZZ_UNTOUCHED;
    hn_status status =
        kind == 3 ? hn_dataset_open_cifar100_coarse(&dataset, context, fuzz_directory(), 0)
                  : hn_dataset_open_cifar(&dataset, context, fuzz_directory(), kind == 2 ? 100 : 10, kind == 1);
    fuzz_outcome(status, kind == 3 ? "hn_dataset_open_cifar100_coarse" : "hn_dataset_open_cifar", dataset);
    if (status == HN_OK)
        fuzz_dataset(dataset);
    fuzz_end();
    return 0;
}
