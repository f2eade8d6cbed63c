#define TABLE hni_norm_avx2
#define NAME "avx2"
#define LANES 8
#define VECS 2
#include "kernel/norm_body.h"
