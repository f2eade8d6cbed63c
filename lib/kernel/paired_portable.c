#define TABLE hni_paired_portable
#define NAME "portable"
#define LANES 4
#define ROWS 2
#define PANELS 1
#include "kernel/paired_body.h"
