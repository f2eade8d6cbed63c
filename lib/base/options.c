#include "base/options.h"

#include "base/error.h"

#include <string.h>

/* No options struct will ever be this large: a bigger struct_size is an uninitialised one. */
enum { OPTIONS_MAX_BYTES = 65536 };

hn_status hni_options_read(void *defaults, size_t current_size, const void *caller, const char *function)
{
    if (caller == NULL)
        return HN_OK;
    size_t size;
    memcpy(&size, caller, sizeof size);
    HNI_FAIL_IF(
        size < sizeof size || size > OPTIONS_MAX_BYTES, HN_E_ARG,
        "%s: struct_size is %zu; set it, by the struct's _options_init function where it has one, to the struct's size",
        function, size);
    const unsigned char *bytes = caller;
    for (size_t i = current_size; i < size; ++i)
        HNI_FAIL_IF(bytes[i] != 0, HN_E_VERSION,
                    "%s: the struct uses a field (byte %zu) that this library does not know", function, i);
    memcpy(defaults, caller, size < current_size ? size : current_size);
    memcpy(defaults, &current_size, sizeof current_size);
    return HN_OK;
}

hn_status hni_output_check(const void *caller, const char *function, const char *name)
{
    size_t size;
    memcpy(&size, caller, sizeof size);
    HNI_FAIL_IF(size < sizeof size || size > OPTIONS_MAX_BYTES, HN_E_ARG,
                "%s: %s->struct_size is %zu; set it to the struct's size", function, name, size);
    return HN_OK;
}

void hni_options_init(void *caller, size_t struct_size, const void *defaults, size_t current_size)
{
    if (caller == NULL || struct_size < sizeof(size_t))
        return;
    memset(caller, 0, struct_size);
    memcpy(caller, defaults, struct_size < current_size ? struct_size : current_size);
    memcpy(caller, &struct_size, sizeof struct_size);
}
