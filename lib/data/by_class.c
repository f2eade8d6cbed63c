#include "data/by_class.h"

#include "data/dataset.h"

void hni_group_by_class(const hn_dataset *base, int64_t *index, int64_t *begin)
{
    for (int64_t c = 0; c <= base->classes; ++c) /* there may be INT32_MAX of them */
        begin[c] = 0;
    for (int64_t i = 0; i < base->count; ++i)
        begin[base->labels[i] + 1]++;
    for (int32_t c = 0; c < base->classes; ++c)
        begin[c + 1] += begin[c];
    for (int64_t i = 0; i < base->count; ++i)
        index[begin[base->labels[i]]++] = i;
    for (int32_t c = base->classes; c > 0; --c) /* filling has moved every begin to its class's end */
        begin[c] = begin[c - 1];
    begin[0] = 0;
}
