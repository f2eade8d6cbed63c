/* Layouts and values that programs compiled against 0.9 rely on: they never change. Checked by the compiler; the program
 * itself has only the version left to look at.                                                                           */
#include <hybridnet.h>

#include <stddef.h>

#define IS(name, value) _Static_assert((name) == (value), "value of " #name);
#if defined(__LP64__)
#define FROZEN(type, bytes) _Static_assert(sizeof(type) == (bytes), "size of " #type);
#define GROWS(type, bytes)                                     \
    _Static_assert(sizeof(type) >= (bytes), "size of " #type); \
    _Static_assert(offsetof(type, struct_size) == 0, "size of " #type " stands first");
#define AT(type, field, bytes) _Static_assert(offsetof(type, field) == (bytes), "place of " #type "." #field);
#else
#define FROZEN(type, bytes)
#define GROWS(type, bytes)
#define AT(type, field, bytes)
#endif

/* clang-format off: rows of a table, each a declaration with its semicolon */
#include "abi/layout.inc"
/* clang-format on */

_Static_assert(sizeof(hn_status) == 4, "size of hn_status");

/* The library that is loaded agrees with these headers. */
int main(void)
{
    return hn_version_number() == (uint32_t)HN_VERSION_NUMBER ? 0 : 1;
}
