/* sampler.h -- who owns a sampler. */
#ifndef HNI_SAMPLER_H
#define HNI_SAMPLER_H

#include <hybridnet/sampler.h>

#include <stdbool.h>

/* Whether a loader owns the sampler, which then destroys it: the loader's to read and set. */
bool *hni_sampler_owned(hn_sampler *sampler);

#endif
