#define TABLE hni_winograd_avx512
#define NAME "avx512"
#define LANES 16
#define ROWS 12
#include "kernel/winograd_body.h"
