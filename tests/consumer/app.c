/* A trainer of somebody's own: one PSC step on plain arrays. Also compiled as C++17. */
#include <hybridnet.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    float z[2 * 3] = {2, 0, 0, 0, 5, 0}, prototypes[3 * 3] = {1, 0, 0, 0, 1, 0, 0, 0, 1}, gradient[2 * 3];
    const int32_t labels[2] = {0, 1};
    hn_cmatf rows = {z, 2, 3, 3}, centres = {prototypes, 3, 3, 3};
    hn_matf drows = {gradient, 2, 3, 3};
    double loss = 0.0;

    hn_loss_psc_options options;
    hn_loss_psc_options_init(&options, sizeof options);
    options.temperature = 1.0f;

    size_t bytes = 0;
    hn_status status = hn_loss_psc_scratch(&options, 2, 3, 3, &bytes);
    hn_scratch scratch = {NULL, (bytes + HN_SCRATCH_ALIGN) / HN_SCRATCH_ALIGN * HN_SCRATCH_ALIGN};
    scratch.data = aligned_alloc(HN_SCRATCH_ALIGN, scratch.size);
    if (status == HN_OK && scratch.data != NULL)
        status = hn_loss_psc(&options, &rows, &centres, labels, &loss, NULL, &drows, NULL, &scratch);
    free(scratch.data);
    if (status != HN_OK) {
        fprintf(stderr, "%s: %s\n", hn_status_name(status), hn_last_error());
        return 1;
    }
    printf("hybridnet %s, loss %.6f\n", hn_version_string(), loss);
    /* Rows normalised, own similarity 1, the two others 0: -1 + log(e^0 + e^0). */
    return fabs(loss - (log(2.0) - 1.0)) < 1e-5 && strcmp(hn_version_string(), HN_EXPECTED_VERSION) == 0 ? 0 : 1;
}
