/* resample_sums.h -- the sums of an 8-bit image's resizing in fixed point: Pillow's weights of 22 bits, times pixels of 8,
 * exact in every variant. A weight is held as two halves of 11 bits, so that a variant can multiply 16-bit numbers; weights
 * stand in pairs, as instructions that add two products take them.                                                      */
#ifndef HNI_RESAMPLE_SUMS_H
#define HNI_RESAMPLE_SUMS_H

#include <stdbool.h>
#include <stdint.h>

enum {
    HNI_RESAMPLE_BITS = 22,
    HNI_RESAMPLE_LOW_BITS = 11,
    HNI_RESAMPLE_ROWS = 4,  /* side by side in `wide`                                     */
    HNI_RESAMPLE_PIXEL = 4, /* bytes of a pixel there, whatever its channels              */
    HNI_RESAMPLE_SITE = HNI_RESAMPLE_ROWS * HNI_RESAMPLE_PIXEL
};

/* Of two neighbours: weight i is high[i] 2^11 + low[i], from 0 to 2^22. */
typedef struct hni_resample_pair {
    int16_t high[2], low[2];
} hni_resample_pair;

/* For each coordinate of the result: the first it is a mean of, how many, and their weights; 0 behind these. */
typedef struct hni_resample_axis {
    int64_t stride;             /* pairs from one coordinate's to the next's     */
    int64_t pairs;              /* of them, the most that a coordinate has       */
    int32_t *first;             /* [out]                                         */
    int32_t *count;             /* [out]                                         */
    hni_resample_pair *weights; /* [out][stride]                                 */
} hni_resample_axis;

typedef struct hni_resample_sums {
    const char *name; /* channels below: 1 to 4 */

    /* Four rows of width pixels, [width][channels] each, side by side: wide [width][4 rows][4 bytes]. A pixel's bytes beyond
     * its channels may hold anything.                                                                                     */
    void (*gather)(const uint8_t *const rows[HNI_RESAMPLE_ROWS], int64_t width, int64_t channels, uint8_t *wide);

    /* wide [width + 2 pairs][4][4] -> out: four rows [out_width][channels], which may be the same ones. Behind the width are
     * bytes that weights of 0 are for. mirror: from right to left.                                                        */
    void (*rows)(const hni_resample_axis *a, const uint8_t *wide, int64_t out_width, int64_t channels, bool mirror,
                 uint8_t *const out[HNI_RESAMPLE_ROWS]);

    /* One row of the result: the mean of `count` rows of n bytes, stride bytes apart, by weights [(count + 1) / 2] -> out [n],
     * which overlaps none of them.                                                                                        */
    void (*columns)(const hni_resample_pair *weights, int64_t count, const uint8_t *rows, int64_t stride, int64_t n,
                    uint8_t *out);
} hni_resample_sums;

extern const hni_resample_sums hni_resample_sums_portable, hni_resample_sums_avx2;

/* The variants that this CPU runs, from the portable one on; NULL behind the last. */
const hni_resample_sums *hni_resample_sums_variant(int index);
const hni_resample_sums *hni_resample_sums_best(void);

#endif
