/* What the options of residual networks allow at most is taken. Networks as large as that are never made: here the
 * first allocation after the checks fails, which is another failure than a number that is too large.                 */
#include "support.h"

typedef struct bound {
    int32_t depth, in_channels, width;
    const char *refused; /* what the sentence says; NULL: taken */
} bound;

static void check(int imagenet, const bound *b)
{
    hnt_counter counter = {.fail_at = 1}; /* the context is the first */
    hn_context *context = NULL;
    hn_layer *net = NULL;
    hn_resnet_options large;
    hn_resnet_cifar_options small;
    hn_resnet_options_init(&large, sizeof large);
    hn_resnet_cifar_options_init(&small, sizeof small);
    large.depth = small.depth = b->depth;
    large.in_channels = small.in_channels = b->in_channels;
    large.width = small.width = b->width;
    hnt_ok(hnt_counting_context(&context, &counter, 1));
    const hn_status status =
        imagenet ? hn_resnet_create(&net, context, &large) : hn_resnet_cifar_create(&net, context, &small);
    hnt_fails(status, b->refused != NULL ? HN_E_ARG : HN_E_NOMEM, b->refused != NULL ? b->refused : "out of memory");
    ck_assert_int_eq(counter.failed, b->refused == NULL);
    ck_assert_ptr_null(net);
    hn_context_destroy(context);
}

START_TEST(networks_for_cifar_have_their_bounds)
{
    static const bound bounds[] = {{8, 3, 4096, NULL},  {8, 3, 4097, "width is 4097; it must be in [1, 4096]"},
                                   {8, 3, 1, NULL},     {8, 3, 0, "width is 0"},
                                   {8, 4096, 16, NULL}, {8, 4097, 16, "in_channels is 4097; it must be in [1, 4096]"},
                                   {302, 3, 16, NULL},  {308, 3, 16, "depth is 308"}};
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; ++i)
        check(0, &bounds[i]);
}
END_TEST

START_TEST(networks_for_imagenet_have_their_bounds)
{
    static const bound bounds[] = {{50, 3, 4096, NULL},  {50, 3, 4097, "width is 4097; it must be in [1, 4096]"},
                                   {50, 3, 1, NULL},     {50, 3, 0, "width is 0"},
                                   {50, 4096, 64, NULL}, {50, 4097, 64, "in_channels is 4097; it must be in [1, 4096]"},
                                   {152, 3, 64, NULL},   {200, 3, 64, "depth is 200"}};
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; ++i)
        check(1, &bounds[i]);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("resnet_options");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, networks_for_cifar_have_their_bounds);
    tcase_add_test(unit, networks_for_imagenet_have_their_bounds);
    return s;
}

HNT_MAIN(suite)
