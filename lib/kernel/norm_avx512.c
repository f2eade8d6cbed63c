#define TABLE hni_norm_avx512
#define NAME "avx512"
#define LANES 16
#define VECS 4
#include "kernel/norm_body.h"
