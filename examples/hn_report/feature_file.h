/* feature_file.h -- the features that train_hybrid --features wrote. */
#ifndef FEATURE_FILE_H
#define FEATURE_FILE_H

#include <stdint.h>

enum { FEATURE_ROWS_MAX = 2000 };

struct features {
    int64_t images, n, d; /* images in the file, of which the first n are here */
    float *x;             /* [n x d], finite                                    */
    int32_t *labels;      /* [n], >= 0                                          */
    int32_t classes;      /* the largest label and 1                            */
};

/* 0, or -1 after a sentence on stderr; features_free in any case. */
int features_read(struct features *features, const char *path);
void features_free(struct features *features);

#endif
