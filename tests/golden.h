/* golden.h -- reading the files that the scripts in tests/golden made with PyTorch or NumPy. */
#ifndef HNT_GOLDEN_H
#define HNT_GOLDEN_H

#include "support.h"

/* Opens tests/golden/NAME.safetensors; fails the test if it is not there. Close with hn_safetensors_close. */
hn_safetensors *hnt_golden_open(hn_context *context, const char *name);

/* The tensor of that name, which must have this dtype and number of elements (count < 0: any). */
const hn_tensor *hnt_golden(const hn_safetensors *file, const char *name, int32_t dtype, int64_t count);
const float *hnt_golden_f(const hn_safetensors *file, const char *name, int64_t count);
const int32_t *hnt_golden_i(const hn_safetensors *file, const char *name, int64_t count);

#endif
