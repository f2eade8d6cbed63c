/* layer_case.h -- running a layer against a golden case: "NAME.x", ".dy" -> ".y", ".dx", ".param.*", ".grad.*". */
#ifndef HNT_LAYER_CASE_H
#define HNT_LAYER_CASE_H

#include "golden.h"

#include <stdio.h>
#include <string.h>

/* The entry index of a layer. */
static inline hn_param hnt_param(const hn_layer *layer, int64_t index)
{
    hn_param param = {.struct_size = sizeof param};
    hnt_ok(hn_layer_param(layer, index, &param));
    return param;
}

/* Values of all of the layer's parameters from "NAME.param.*"; gradients become 0. Buffers keep their initial values. */
static inline void hnt_load(const hn_safetensors *file, const char *name, hn_layer *layer)
{
    char key[256];
    for (int64_t i = 0; i < hn_layer_param_count(layer); ++i) {
        hn_param p = hnt_param(layer, i);
        if (p.grad == NULL)
            continue;
        snprintf(key, sizeof key, "%s.param.%s", name, p.name);
        memcpy(hn_tensor_data(p.value), hnt_golden_f(file, key, hn_tensor_count(p.value)), hn_tensor_bytes(p.value));
        memset(hn_tensor_data(p.grad), 0, hn_tensor_bytes(p.grad));
    }
}

static inline int hnt_vanishes(const float *x, int64_t n, float limit)
{
    for (int64_t i = 0; i < n; ++i)
        if (!(x[i] <= limit && x[i] >= -limit))
            return 0;
    return 1;
}

/* Output, gradients and running statistics of a training pass, all to 1e-5 of the largest value; destroys the layer. */
static inline void hnt_layer_matches(hn_context *context, const hn_safetensors *file, const char *name, hn_layer *layer)
{
    char key[256];
    hn_exec *exec = NULL;
    hn_tensor *dx = NULL;
    const hn_tensor *y = NULL;
    hn_rng rng;
    hn_rng_seed(&rng, 1, 0);
    hnt_ok(hn_layer_init_params(layer, &rng));
    hnt_load(file, name, layer);
    snprintf(key, sizeof key, "%s.x", name);
    const hn_tensor *x = hnt_golden(file, key, HN_F32, -1);
    snprintf(key, sizeof key, "%s.dy", name);
    const hn_tensor *dy = hnt_golden(file, key, HN_F32, -1);
    hnt_ok(hn_tensor_create(&dx, context, hn_tensor_desc(x)));
    hnt_ok(hn_exec_create(&exec, context, layer, hn_tensor_desc(x), HN_MODE_TRAIN));
    hnt_ok(hn_exec_forward(exec, x, &y));
    snprintf(key, sizeof key, "%s.y", name);
    hnt_close_f(key, hn_tensor_cdata(y), hnt_golden_f(file, key, hn_tensor_count(y)), hn_tensor_count(y), 1e-5);
    hnt_ok(hn_exec_backward(exec, dy, dx));
    snprintf(key, sizeof key, "%s.dx", name);
    hnt_close_f(key, hn_tensor_cdata(dx), hnt_golden_f(file, key, hn_tensor_count(dx)), hn_tensor_count(dx), 1e-5);
    for (int64_t i = 0; i < hn_layer_param_count(layer); ++i) {
        hn_param p = hnt_param(layer, i);
        snprintf(key, sizeof key, "%s.%s.%s", name, p.grad == NULL ? "param" : "grad", p.name);
        const hn_tensor *got = p.grad == NULL ? p.value : p.grad;
        if (hnt_vanishes(hnt_golden_f(file, key, hn_tensor_count(got)), hn_tensor_count(got), 1e-10f)) {
            /* A bias before batch norm has no gradient but rounding noise. */
            ck_assert_msg(hnt_vanishes(hn_tensor_cdata(got), hn_tensor_count(got), 1e-5f), "%s does not vanish", key);
            continue;
        }
        hnt_close_f(key, hn_tensor_cdata(got), hnt_golden_f(file, key, hn_tensor_count(got)), hn_tensor_count(got), 2e-5);
    }
    hn_exec_destroy(exec);
    hn_tensor_destroy(dx);
    hn_layer_destroy(layer);
}

#endif
