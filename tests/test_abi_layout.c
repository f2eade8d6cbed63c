/* Layouts and values that programs compiled against 0.1 rely on: they never change. Checked by the compiler; the program
 * itself has nothing left to do. Option structs grow at their ends, so only their first field's place is fixed.        */
#include <hybridnet.h>

#include <stddef.h>

#define SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), "size of " #type)
#define AT(type, field, bytes) _Static_assert(offsetof(type, field) == (bytes), "place of " #type "." #field)
#define IS(name, value) _Static_assert((name) == (value), "value of " #name)

#if defined(__LP64__)
SIZE(hn_matf, 32);
AT(hn_matf, data, 0);
AT(hn_matf, rows, 8);
AT(hn_matf, cols, 16);
AT(hn_matf, ld, 24);

SIZE(hn_cmatf, 32);
AT(hn_cmatf, data, 0);
AT(hn_cmatf, rows, 8);
AT(hn_cmatf, cols, 16);
AT(hn_cmatf, ld, 24);

SIZE(hn_scratch, 16);
AT(hn_scratch, data, 0);
AT(hn_scratch, size, 8);

SIZE(hn_named_tensor, 16);
AT(hn_named_tensor, name, 0);
AT(hn_named_tensor, tensor, 8);

SIZE(hn_metadata, 16);
AT(hn_metadata, key, 0);
AT(hn_metadata, value, 8);

AT(hn_loss_psc_options, reduction, 8);
AT(hn_loss_psc_options, check_finite, 12);
AT(hn_loss_psc_options, num_threads, 16);
AT(hn_loss_psc_options, grad_scale, 20);
AT(hn_loss_psc_options, grad_beta, 24);
AT(hn_loss_psc_options, temperature, 28);

/* hn_layer_plan_call writes all of it, whatever the caller was compiled with. */
SIZE(hn_layer_plan, 80);

/* What has been added to a struct begins where it ended in 0.1. */
AT(hn_context_options, trace, 40);
AT(hn_layer_ops, cost, 64);
AT(hn_augment_options, height, 56);
AT(hn_loader_options, augment_later, 48);

AT(hn_layer_call, context, 8);
AT(hn_layer_call, input, 24);
AT(hn_layer_call, x, 136);
AT(hn_layer_call, addend, 184);

AT(hn_trace_event, kind, 8);
AT(hn_trace_event, pass, 16);
AT(hn_trace_event, ends, 20);
AT(hn_trace_event, flops, 24);
AT(hn_trace_event, bytes, 32);
AT(hn_trace_event, input, 40);
AT(hn_trace_event, output, 48);
#endif

SIZE(hn_desc, 56);
AT(hn_desc, dtype, 0);
AT(hn_desc, ndim, 4);
AT(hn_desc, dim, 8);

SIZE(hn_rng, 64);
SIZE(hn_status, 4);

/* Structs that say their own size say it first. */
AT(hn_allocator, struct_size, 0);
AT(hn_augment_options, struct_size, 0);
AT(hn_context_options, struct_size, 0);
AT(hn_image_folder_options, struct_size, 0);
AT(hn_layer_call, struct_size, 0);
AT(hn_layer_cost, struct_size, 0);
AT(hn_layer_ops, struct_size, 0);
AT(hn_layer_plan, struct_size, 0);
AT(hn_loader_options, struct_size, 0);
AT(hn_long_tail_options, struct_size, 0);
AT(hn_loss_bcl_options, struct_size, 0);
AT(hn_loss_ce_options, struct_size, 0);
AT(hn_loss_kcl_options, struct_size, 0);
AT(hn_loss_paco_options, struct_size, 0);
AT(hn_loss_proco_options, struct_size, 0);
AT(hn_loss_psc_options, struct_size, 0);
AT(hn_loss_sc_options, struct_size, 0);
AT(hn_metrics_report, struct_size, 0);
AT(hn_param, struct_size, 0);
AT(hn_prototypes_options, struct_size, 0);
AT(hn_sampler_options, struct_size, 0);
AT(hn_sgd_options, struct_size, 0);
AT(hn_trace_event, struct_size, 0);
AT(hn_transition_options, struct_size, 0);

IS(HN_OK, 0);
IS(HN_END, 1);
IS(HN_STOPPED, 2);
IS(HN_E_ARG, -1);
IS(HN_E_SHAPE, -2);
IS(HN_E_NOMEM, -3);
IS(HN_E_WORKSPACE, -4);
IS(HN_E_IO, -5);
IS(HN_E_FORMAT, -6);
IS(HN_E_VERSION, -7);
IS(HN_E_UNSUPPORTED, -8);
IS(HN_E_STATE, -9);
IS(HN_E_NONFINITE, -10);
IS(HN_E_LABEL, -11);
IS(HN_E_INTERNAL, -99);

IS(HN_F32, 1);
IS(HN_I32, 2);
IS(HN_U8, 3);
IS(HN_BF16, 4);
IS(HN_MAX_DIMS, 6);
IS(HN_SCRATCH_ALIGN, 64);
IS(HN_MODE_INFER, 0);
IS(HN_MODE_TRAIN, 1);
IS(HN_TRACE_OTHER, 0);
IS(HN_TRACE_FORWARD, 1);
IS(HN_TRACE_BACKWARD, 2);
IS(HN_REDUCE_MEAN, 0);
IS(HN_REDUCE_SUM, 1);
IS(HN_ASSIGN_SOFT, 0);
IS(HN_ASSIGN_HARD, 1);
IS(HN_ASSIGN_UNIFORM, 2);
IS(HN_ASSIGN_GIVEN, 3);
IS(HN_LONELY_SKIP, 0);
IS(HN_LONELY_ZERO, 1);
IS(HN_LONELY_PML, 2);
IS(HN_VIEW_MAJOR, 0);
IS(HN_SAMPLE_MAJOR, 1);
IS(HN_ANCHORS_ALL, 0);
IS(HN_ANCHORS_FIRST, 1);
IS(HN_SMOOTHING_CONCAVE, 0);
IS(HN_SMOOTHING_LINEAR, 1);
IS(HN_SMOOTHING_CONVEX, 2);
IS(HN_SAMPLER_INSTANCE_BALANCED, 0);
IS(HN_SAMPLER_CLASS_BALANCED, 1);
IS(HN_SAMPLER_CLASS_BALANCED_RANDOM, 2);
IS(HN_SAMPLER_SQUARE_ROOT, 3);
IS(HN_SAMPLER_PROGRESSIVE, 4);
IS(HN_SAMPLER_REVERSED, 5);

/* The library that is loaded agrees with these headers. */
int main(void)
{
    return hn_version_number() == (uint32_t)HN_VERSION_NUMBER ? 0 : 1;
}
