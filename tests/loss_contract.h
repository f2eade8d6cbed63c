/* loss_contract.h -- what every pure loss must do, whatever its formula, and the comparison with a double reference.
 *
 * A test describes its loss (hnt_subject); hnt_contract adds the cases. What is left to the test is the reference, the
 * golden data, and what only this loss does.                                                                           */
#ifndef HNT_LOSS_CONTRACT_H
#define HNT_LOSS_CONTRACT_H

#include "golden.h"
#include "loss_batch.h"

/* The batch in double, dense, its gradients' matrices free to be changed; rows is where the reference puts row_loss. */
typedef struct hnt_reference {
    const hnt_batch *b;
    union {
        double *m[HNT_MATRICES];
        struct {
            double *z, *y, *t;
        };
    };
    double *rows;
    void *held; /* what the gradient takes for constant, such as which keys are positives */
} hnt_reference;

/* A field or element of a good batch, and the value that makes it bad. */
enum { HNT_F32_OPTION, HNT_I32_OPTION, HNT_SIZE_OPTION, HNT_INDEX, HNT_EXTRA = 10, HNT_GIVEN_ROWS = 20 };

/* place    HNT_INDEX + HNT_LABELS, ...: an element of that array; HNT_EXTRA + i: of extra[i];
 *          HNT_GIVEN_ROWS + HNT_Y, ...: the rows of that gradient
 * at       offset in the options, or index                                                                            */
typedef struct hnt_mistake {
    int place;
    size_t at;
    double value;
    hn_status status;
    const char *sentence;
} hnt_mistake;

#define HNT_F32(loss, field, value, sentence) \
    {HNT_F32_OPTION, offsetof(hn_loss_##loss##_options, field), value, HN_E_ARG, sentence}
#define HNT_I32(loss, field, value, sentence) \
    {HNT_I32_OPTION, offsetof(hn_loss_##loss##_options, field), value, HN_E_ARG, sentence}

/* Arguments that are good but for one matrix, of the given shape, or for the number of classes. z is 4x3, y and the targets
 * are 3x3, logits are 4x3.                                                                                             */
enum { HNT_INPUT, HNT_GRADIENT, HNT_CLASSES };
typedef struct hnt_misshape {
    int what, matrix; /* matrix: HNT_Z ... */
    int64_t rows, cols, ld;
    hn_status status;
    const char *sentence;
} hnt_misshape;

/* Sizes that the scratch function refuses. */
typedef struct hnt_missize {
    hnt_sizes sizes;
    hn_status status;
    const char *sentence;
} hnt_missize;

/* HNT_EMPTY: no rows. HNT_SMALL: some rows of 3 columns (logits: 4), all options on that read an array. HNT_MIDDLE: some 40
 * rows, z of 7 columns (dim). HNT_LARGE: enough to be shared among threads.                                            */
enum { HNT_EMPTY, HNT_SMALL, HNT_MIDDLE, HNT_LARGE };

typedef struct hnt_subject {
    const hnt_pure_loss *loss;
    double (*evaluate)(const void *reference);
    void *(*hold)(const hnt_reference *reference); /* may be NULL */
    double (*rounding)(const hnt_batch *b);        /* of a value; NULL: hnt_rounding */
    hnt_batch (*make)(uint64_t seed, int size, int64_t pad);
    int64_t given;    /* above 0: the gradient of the first keys alone is to be had, e.g. of so many */
    int64_t zero_key; /* a row of y that is only itself */
    const hnt_mistake *mistakes;
    const hnt_misshape *misshapes;
    const hnt_missize *missizes;
    size_t mistake_count, misshape_count, missize_count;
} hnt_subject;

#define HNT_TABLE(name) .name##s = name##s, .name##_count = sizeof name##s / sizeof *name##s

/* Adds the contract's cases to the suite's unit, property and repro cases. One subject a program. */
void hnt_contract(const hnt_subject *subject, TCase *unit, TCase *property, TCase *repro);
/* Its part of refusals, in loss_refusals.c. */
void hnt_refusals(const hnt_subject *subject, TCase *unit);

/* b and c are alike: c's gradients come out as beta * what was there + scale * b's. */
void hnt_scales_and_adds(hnt_batch *b, hnt_batch *c);

/* ---- the reference: loss_reference.c --------------------------------------------------------------------------------- */

hnt_reference hnt_refer(const hnt_subject *subject, const hnt_batch *b);
void hnt_drop_reference(hnt_reference *r);
/* A copy of rows of the reference, of unit length if the options normalize; to be freed. */
double *hnt_reference_rows(const hnt_batch *b, const double *x, int64_t rows);
/* x.y / temperature */
double hnt_similarity(const hnt_batch *b, const double *x, const double *y);
/* The total of rows, reduced over `counted` of them. */
double hnt_reduce(const hnt_batch *b, double total, int64_t counted);
/* A value is a difference of similarities: it is as exact as these are large. */
double hnt_rounding(const hnt_batch *b);

/* Calls the loss; loss and row_loss are the reference's within rounding. */
void hnt_value_follows(const hnt_subject *subject, hnt_batch *b);
/* Calls the loss; all its gradients are the reference's central differences to that tolerance. */
void hnt_gradients_follow(const hnt_subject *subject, hnt_batch *b, double tolerance);
/* Calls the loss; "NAME.loss", "NAME.rows" (where they are asked for) and "NAME.<gradient>" are the file's, to these
 * tolerances.                                                                                                          */
void hnt_golden_agrees(const hn_safetensors *file, const char *name, hnt_batch *b, int rows, double value_tolerance,
                       double gradient_tolerance);

#endif
