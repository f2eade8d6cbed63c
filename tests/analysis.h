/* analysis.h -- what scripts/check puts before each source of lib/ for static analysers, which look at one source at a
 * time: they cannot know that these functions return what they are given or are named for, and would go on after a
 * failure as if it were none. Not for the two sources that define them.                                               */
#ifndef HNT_ANALYSIS_H
#define HNT_ANALYSIS_H

#include "base/error.h"
#include "base/memory.h"

static inline hn_status hnt_negative(hn_status status)
{
    return status < 0 ? status : HN_E_INTERNAL;
}

#define hni_fail(...) hnt_negative(hni_fail(__VA_ARGS__))
#define hni_no_memory(...) hnt_negative(hni_no_memory(__VA_ARGS__))

#endif
