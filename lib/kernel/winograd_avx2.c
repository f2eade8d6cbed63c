#define TABLE hni_winograd_avx2
#define NAME "avx2"
#define LANES 8
#define ROWS 6
#include "kernel/winograd_body.h"
