/* common.h -- what all losses check and how they reduce. */
#ifndef HNI_LOSS_COMMON_H
#define HNI_LOSS_COMMON_H

#include <hybridnet/loss_common.h>

#include <stdbool.h>

/* The fields that every loss's options begin with: its options struct may be read as one of these. */
typedef struct hni_loss_common {
    HN_LOSS_COMMON_OPTIONS
} hni_loss_common;

/* The range of the common options; 0 threads becomes OpenMP's number. */
hn_status hni_loss_check_common(void *options, const char *function);
/* Between 0 and a sane maximum; 0 becomes OpenMP's number. */
hn_status hni_loss_check_threads(int32_t *num_threads, const char *function);
/* tau positive and finite. */
hn_status hni_loss_check_temperature(float temperature, const char *function);
/* Extents that cannot overflow any size: rows >= 0, cols >= 1, both below 2^31. */
hn_status hni_loss_check_extents(int64_t rows, int64_t cols, const char *function, const char *name);
/* Data unless there are no rows, ld >= cols. */
hn_status hni_loss_check_matrix(const hn_cmatf *m, const char *function, const char *name);
/* A gradient of the same shape as m, or NULL. */
hn_status hni_loss_check_gradient(const hn_matf *g, const hn_cmatf *m, const char *function, const char *name);
/* Labels below classes (classes < 0: any); *valid counts those >= 0. */
hn_status hni_loss_check_labels(const int32_t *labels, int64_t n, int64_t classes, const char *function,
                                int64_t *valid);
/* As many columns in m as in other. m_has, other_has: for the sentence, such as "keys have". */
hn_status hni_loss_check_columns(const hn_cmatf *m, const hn_cmatf *other, const char *function, const char *m_has,
                                 const char *other_has);
/* index[i] < below for i < n; negative ones mean none, index NULL that nobody has one. */
hn_status hni_loss_check_indices(const int32_t *index, int64_t n, int64_t below, const char *function,
                                 const char *name);
/* Keys, and a gradient of the first of them or NULL. */
hn_status hni_loss_check_keys(const int32_t *key_labels, const hn_matf *dkeys, const hn_cmatf *keys,
                              const char *function);
/* An adjustment of each class's logit, all finite, or NULL. */
hn_status hni_loss_check_adjustment(const float *adjustment, int64_t classes, const char *function);
/* No NaN or infinity; does nothing unless check is set. */
hn_status hni_loss_check_finite(int32_t check, const hn_cmatf *m, const char *function, const char *name);
/* Enough of it, aligned; NULL is enough if bytes is 0. */
hn_status hni_loss_check_scratch(const hn_scratch *scratch, size_t bytes, const char *function);

/* Cuts pieces off a block, or only counts them while base is NULL. */
typedef struct hni_carver {
    char *base;
    size_t used;
} hni_carver;
void *hni_carve(hni_carver *carver, int64_t count, size_t element);

/* to = beta to + g, g rows x cols, dense; g NULL: without it. Nothing if to is NULL; beta 0 never reads to. */
void hni_loss_give(const hn_matf *to, float beta, const float *g);

/* row = beta row (+ 0): what an ignored row's gradient becomes. */
void hni_loss_scale_row(int64_t n, float beta, float *row);

/* What the sum over rows is divided by, where counted of them count: 1 for HN_REDUCE_SUM or if none does. */
double hni_loss_divisor(int32_t reduction, int64_t counted);
/* *loss = sum of row [n] / divisor, row_loss [n] = row; either may be NULL. */
void hni_loss_reduce(int64_t n, const double *row, double divisor, double *loss, float *row_loss);

#endif
