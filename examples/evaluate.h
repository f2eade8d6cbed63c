/* evaluate.h -- testing the network on the images of a loader. */
#ifndef EVALUATE_H
#define EVALUATE_H

#include "report.h"

/* Fills the scores, all but the validation's, and confusion: [classes x classes], row = true class, column = predicted;
 * NULL: nobody wants it. On failure hn_last_error() has the sentence.                                                  */
hn_status evaluate(struct run *run, hn_loader *loader, struct scores *scores, int64_t *confusion);

#endif
