/* hn_param, as layers and losses fill it: never beyond the size that the caller says its struct has. */
#include "scale_layer.h"

#include <hybridnet/loss.h>

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Something that lists a parameter. */
typedef struct lister {
    hn_context *context;
    scale_layer scale;
    hn_layer *layer;
    hn_loss *loss;
} lister;

static void open_lister(lister *l)
{
    *l = (lister){.context = hnt_context(1)};
    hnt_ok(scale_create(&l->layer, l->context, &l->scale, 3));
    hnt_ok(hn_loss_create_psc(&l->loss, l->context, 3, 4, NULL));
}

static void close_lister(lister *l)
{
    hn_layer_destroy(l->layer);
    hn_loss_destroy(l->loss);
    hn_context_destroy(l->context);
}

static hn_status fill(const lister *l, int of_loss, hn_param *param)
{
    return of_loss ? hn_loss_param(l->loss, 0, param) : hn_layer_param(l->layer, 0, param);
}

/* A struct that was not cleared, or whose size was not set. */
START_TEST(a_size_that_was_not_set_is_refused)
{
    static const size_t sizes[] = {0, sizeof(size_t) - 1, 65537, SIZE_MAX};
    static const char *const sentences[] = {"hn_layer_param: param->struct_size is",
                                            "hn_loss_param: param->struct_size is"};
    lister l;
    open_lister(&l);
    for (int of_loss = 0; of_loss < 2; ++of_loss)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
            const hn_param before = {sizes[i], "mine", NULL, NULL, 5, 6};
            hn_param param = before;
            hnt_fails(fill(&l, of_loss, &param), HN_E_ARG, sentences[of_loss]);
            ck_assert_mem_eq(&param, &before, sizeof param);
            ck_assert_str_eq(param.name, "mine");
        }
    close_lister(&l);
}
END_TEST

/* A program made for a version with fewer fields gets those; one made for a version with more, zeros in the rest. */
START_TEST(as_much_is_filled_as_there_is)
{
    lister l;
    open_lister(&l);
    for (int of_loss = 0; of_loss < 2; ++of_loss) {
        hn_param whole = {.struct_size = sizeof whole};
        hnt_ok(fill(&l, of_loss, &whole));
        ck_assert_str_eq(whole.name, of_loss ? "prototypes" : "weight");
        ck_assert(whole.value != NULL && whole.grad != NULL && whole.weight_decay == 1);

        hn_param shorter = {offsetof(hn_param, value), "mine", NULL, NULL, 5, 6};
        hnt_ok(fill(&l, of_loss, &shorter));
        ck_assert_uint_eq(shorter.struct_size, offsetof(hn_param, value));
        ck_assert_ptr_eq(shorter.name, whole.name);
        ck_assert(shorter.value == NULL && shorter.grad == NULL && shorter.weight_decay == 5 && shorter.reserved == 6);

        struct {
            hn_param known;
            int64_t later[2];
        } longer = {{.struct_size = sizeof longer}, {7, 7}};
        hnt_ok(fill(&l, of_loss, &longer.known));
        ck_assert_uint_eq(longer.known.struct_size, sizeof longer);
        ck_assert_ptr_eq(longer.known.grad, whole.grad);
        ck_assert(longer.later[0] == 0 && longer.later[1] == 0);
    }
    close_lister(&l);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("param");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, a_size_that_was_not_set_is_refused);
    tcase_add_test(unit, as_much_is_filled_as_there_is);
    return s;
}

HNT_MAIN(suite)
