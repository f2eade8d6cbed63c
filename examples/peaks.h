/* peaks.h -- what this machine can do, measured with the library itself: the bounds that a profile holds times against. */
#ifndef PEAKS_H
#define PEAKS_H

#include <hybridnet.h>

struct peaks {
    int32_t threads;
    double flops; /* a second, f32: a linear layer of 1024 x 1024 on 1024 rows; bf16: a 3x3 convolution of 1024 images of
                   * 8 x 8 with 64 channels                                                                       */
    double bytes; /* a second: a ReLU that reads one array of 256 MiB and writes another, more than caches hold    */
};

/* Each is the best of a few on that many threads (0: as many as OpenMP would use), flops in that precision, HN_F32 or
 * HN_BF16; takes a second or so, and 512 MiB for that long. On failure hn_last_error() has the
 * sentence.                                                                                                      */
hn_status peaks_measure(struct peaks *peaks, int32_t num_threads, int32_t precision);

#endif
