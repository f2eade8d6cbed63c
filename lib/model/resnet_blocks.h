/* resnet_blocks.h -- what the residual networks for small and for large images share: how layers are put together, units
 * and blocks under the names that files use, and the element type inside.                                              */
#ifndef HNI_RESNET_BLOCKS_H
#define HNI_RESNET_BLOCKS_H

#include <hybridnet/layers.h>

#include <stdbool.h>

/* A unit "convN", "bnN". */
typedef struct hni_unit {
    int32_t number; /* N */
    int32_t in, out, kernel, stride;
    int32_t fan;     /* as hn_conv2d_options has it    */
    bool relu, zero; /* zero: batch norm's weight begins as 0 */
} hni_unit;

/* A residual block. basic: 3x3, 3x3. bottleneck: 1x1 to `channels`, 3x3, 1x1 to `out`. The 3x3 that comes first has the
 * stride. zero: as of its last unit.                                                                                   */
typedef struct hni_block {
    int32_t in, channels, out, stride;
    int32_t shortcut; /* HN_SHORTCUT_*, where there must be one at all */
    int32_t fan;
    bool bottleneck, zero;
} hni_block;

/* Gives child to parent; on failure, of this call or an earlier one that made `status`, child is destroyed. */
hn_status hni_resnet_give(hn_status status, hn_layer *parent, const char *name, hn_layer *child);
/* Adds a unit; its padding keeps an image's size at stride 1. */
hn_status hni_resnet_add_unit(hn_layer *parent, hn_context *context, const hni_unit *unit);
hn_status hni_resnet_create_block(hn_layer **out, hn_context *context, const hni_block *block);

/* HN_E_ARG unless precision is 0, HN_F32 or HN_BF16; HN_E_UNSUPPORTED where the context's engine has no bf16. */
hn_status hni_resnet_check_precision(const hn_context *context, int32_t precision, const char *function);
/* An empty network, or in bf16 one that begins with a cast. */
hn_status hni_resnet_begin(hn_layer **out, hn_context *context, int32_t precision);
/* Adds the global average pool and hands net out; on failure, of this call or of what made `status`, net is destroyed. */
hn_status hni_resnet_end(hn_status status, hn_layer **out, hn_context *context, hn_layer *net);

#endif
