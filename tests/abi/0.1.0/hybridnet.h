/* hybridnet.h -- everything. Long-tailed image classification by contrastive hybrid networks, in C.
 *
 * Unless a function says otherwise: an object may be used by one thread at a time; functions that take only const
 * objects may run at once on the same object; functions without an object are re-entrant. Failures are negative
 * statuses, and hn_last_error() has the sentence. The library never prints, exits or aborts.                       */
#ifndef HYBRIDNET_H
#define HYBRIDNET_H

#include <hybridnet/augment.h>
#include <hybridnet/context.h>
#include <hybridnet/cross_entropy.h>
#include <hybridnet/dataset.h>
#include <hybridnet/exec.h>
#include <hybridnet/heads.h>
#include <hybridnet/hybrid.h>
#include <hybridnet/layer.h>
#include <hybridnet/layers.h>
#include <hybridnet/loader.h>
#include <hybridnet/long_tail.h>
#include <hybridnet/loss.h>
#include <hybridnet/metrics.h>
#include <hybridnet/optimizer.h>
#include <hybridnet/param.h>
#include <hybridnet/prototypical.h>
#include <hybridnet/resnet.h>
#include <hybridnet/rng.h>
#include <hybridnet/safetensors.h>
#include <hybridnet/sampler.h>
#include <hybridnet/schedule.h>
#include <hybridnet/status.h>
#include <hybridnet/supcon.h>
#include <hybridnet/tensor.h>
#include <hybridnet/transition.h>
#include <hybridnet/types.h>
#include <hybridnet/version.h>

#endif
