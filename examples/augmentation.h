/* augmentation.h -- what happens to the images of a data set on their way to the network. */
#ifndef AUGMENTATION_H
#define AUGMENTATION_H

#include "options.h"

#include <hybridnet.h>

/* In a test: normalised by the statistics of the set, image files cut to --image-size. */
hn_augment_options augmentation_plain(const struct options *options);

/* In training, by one of enum augmentation. */
hn_augment_options augmentation_random(const struct options *options, int32_t kind);

#endif
