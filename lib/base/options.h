/* options.h -- reading the caller's option structs, whatever version of the header they were built with. */
#ifndef HNI_OPTIONS_H
#define HNI_OPTIONS_H

#include <hybridnet/status.h>
#include <stddef.h>

/* Copies the caller's struct over `defaults` (a current struct, already filled): no further than either's size.
 * caller NULL: defaults stay. HN_E_ARG if struct_size is smaller than the field itself or absurdly large,
 * HN_E_VERSION if the caller's longer tail holds anything but zero. function: for the sentence.               */
hn_status hni_options_read(void *defaults, size_t current_size, const void *caller, const char *function);

/* Fills the caller's struct, struct_size bytes of it, from a current struct of defaults; sets struct_size and
 * zeroes a tail the library does not know. A NULL caller or struct_size below sizeof(size_t) does nothing.    */
void hni_options_init(void *caller, size_t struct_size, const void *defaults, size_t current_size);

/* Whether the caller has set struct_size of a struct that is to be filled: HN_E_ARG if not. name: for the sentence. */
hn_status hni_output_check(const void *caller, const char *function, const char *name);

#endif
