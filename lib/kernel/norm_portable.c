#define TABLE hni_norm_portable
#define NAME "portable"
#define LANES 4
#define VECS 2
#include "kernel/norm_body.h"
