#define TABLE hni_paired_avx512bf16
#define NAME "avx512bf16"
#define LANES 16
#define ROWS 8
#define PANELS 2
#include "kernel/paired_body.h"
