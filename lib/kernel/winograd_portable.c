#define TABLE hni_winograd_portable
#define NAME "portable"
#define LANES 4
#define ROWS 2
#include "kernel/winograd_body.h"
