/* A file of train_hybrid --features, as hn_report reads it. */
#include "fuzz.h"

#include "../../examples/hn_report/feature_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_file("input", (fuzz_bytes){data, size});
    struct features features;
    (void)fuzz_begin(128, FUZZ_CONSTANT);
    fuzz_listen();
    const int code = features_read(&features, path);
    (void)fuzz_heard(code != 0);
    if (code == 0 && (features.n < 1 || features.n > FEATURE_ROWS_MAX || features.d < 1 || features.classes < 1))
        fuzz_finding("%lld rows of %lld features in %d classes", (long long)features.n, (long long)features.d,
                     (int)features.classes);
    features_free(&features);
    fuzz_end();
    return 0;
}
