/* features.h -- what the backbone makes of test images, in a file for hn_report. */
#ifndef FEATURES_H
#define FEATURES_H

#include "run.h"

enum { FEATURE_IMAGES_MAX = 2000 };

/* Writes "features" (f32, n x d) and "labels" (i32, n) of the first n images of the test loader's first epoch, at most
 * FEATURE_IMAGES_MAX. Returns DONE, or FAILED after a sentence on stderr.                                            */
int features_write(struct run *run, const char *path);

#endif
