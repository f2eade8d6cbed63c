#define TABLE hni_paired_avx2
#define NAME "avx2"
#define LANES 8
#define ROWS 4
#define PANELS 1
#include "kernel/paired_body.h"
