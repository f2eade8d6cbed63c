/* dlopen_host LIBRARY: loads the library, works with it, unloads it, 100 times; fails if a result changes or memory grows. */
#include <dlfcn.h>
#include <hybridnet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 100, EARLY = 20, ROWS = 300, DIM = 64, GROWTH_KIB = 4096 };

static long resident_kib(void)
{
    char line[128];
    long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "VmRSS:", 6) == 0)
            kib = strtol(line + 6, NULL, 10);
    if (file != NULL)
        fclose(file);
    return kib;
}

/* The address of a function, into a pointer of its type. */
static int find(void *library, const char *name, void *pointer)
{
    void *address = dlsym(library, name);
    memcpy(pointer, &address, sizeof address);
    if (address == NULL)
        fprintf(stderr, "dlopen_host: %s\n", dlerror());
    return address == NULL;
}

/* A loss on two threads. */
static int work(void *library, double *loss)
{
    static float z[ROWS * DIM], dz[ROWS * DIM];
    static int32_t labels[ROWS];
    void (*init)(hn_loss_sc_options *, size_t);
    hn_status (*bytes)(const hn_loss_sc_options *, int64_t, int64_t, size_t *);
    hn_status (*sc)(const hn_loss_sc_options *, const hn_cmatf *, const int32_t *, double *, float *, hn_matf *,
                    const hn_scratch *);
    if (find(library, "hn_loss_sc_options_init", &init) || find(library, "hn_loss_sc_scratch", &bytes) ||
        find(library, "hn_loss_sc", &sc))
        return 1;
    for (int i = 0; i < ROWS * DIM; ++i)
        z[i] = (float)((i * 37) % 101) / 50.0f - 1.0f;
    for (int i = 0; i < ROWS; ++i)
        labels[i] = i % 7;
    hn_loss_sc_options o;
    init(&o, sizeof o);
    o.num_threads = 2;
    hn_scratch scratch = {NULL, 0};
    if (bytes(&o, ROWS, DIM, &scratch.size) != HN_OK)
        return 1;
    scratch.data =
        aligned_alloc(HN_SCRATCH_ALIGN, (scratch.size + HN_SCRATCH_ALIGN) / HN_SCRATCH_ALIGN * HN_SCRATCH_ALIGN);
    const hn_cmatf input = {z, ROWS, DIM, DIM};
    hn_matf gradient = {dz, ROWS, DIM, DIM};
    const int failed = scratch.data == NULL || sc(&o, &input, labels, loss, NULL, &gradient, &scratch) != HN_OK;
    free(scratch.data);
    return failed;
}

int main(int argc, char **argv)
{
    double first = 0.0, loss = 0.0;
    long early = 0;
    if (argc != 2) {
        fprintf(stderr, "usage: dlopen_host LIBRARY\n");
        return 2;
    }
    for (int round = 0; round < ROUNDS; ++round) {
        void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
        if (library == NULL) {
            fprintf(stderr, "dlopen_host: %s\n", dlerror());
            return 1;
        }
        if (work(library, &loss) != 0 || dlclose(library) != 0) {
            fprintf(stderr, "dlopen_host: round %d failed\n", round);
            return 1;
        }
        first = round == 0 ? loss : first;
        early = round == EARLY ? resident_kib() : early;
        if (memcmp(&first, &loss, sizeof loss) != 0) {
            fprintf(stderr, "dlopen_host: the loss was %.17g and is %.17g in round %d\n", first, loss, round);
            return 1;
        }
    }
    const long grown = resident_kib() - early;
    printf("%d rounds, loss %.6f, %ld KiB more than after %d\n", ROUNDS, loss, grown, EARLY);
    if (grown > GROWTH_KIB) {
        fprintf(stderr, "dlopen_host: memory grows\n");
        return 1;
    }
    return 0;
}
