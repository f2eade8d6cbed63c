/* queue.h -- the last embeddings of earlier batches, with their labels: a ring of constants to contrast with. */
#ifndef HNI_QUEUE_H
#define HNI_QUEUE_H

#include "loss/loss.h"

/* Rows 0 to count - 1 of x are what the queue holds, in no particular order once it has turned over. */
typedef struct hni_queue {
    hn_context *context;
    int64_t capacity, dim;
    int64_t count;   /* rows held, at most capacity     */
    int64_t next;    /* the row to be written next      */
    float *x;        /* capacity x dim, dense           */
    int32_t *labels; /* [capacity]                      */
} hni_queue;

/* An empty queue; all it will ever allocate. HN_E_SHAPE, HN_E_NOMEM; on failure *queue is zero. function: for the
 * sentence.                                                                                                          */
hn_status hni_queue_open(hni_queue *queue, hn_context *context, int64_t capacity, int64_t dim, const char *function);

/* Copies x's rows in their order, L2-normalised if so wanted, over the oldest ones. Rows with a label < 0 stay out, and so do
 * those with a NaN or infinity, which would spoil every step until they are overwritten. x has the queue's dim. Cannot
 * fail.                                                                                                                  */
void hni_queue_push(hni_queue *queue, const hn_cmatf *x, const int32_t *labels, int32_t normalize);

/* The keys of a step: the batch's rows that have a label, in their order, and then the queue's. Returns how many are the
 * batch's.
 *   keys        (batch->rows + count) x dim at most, dense
 *   key_labels  likewise
 *   self        [batch->rows], which key a row is; -1: it has no label                                                  */
int64_t hni_queue_gather(const hni_queue *queue, const hn_cmatf *batch, const int32_t *labels, float *keys,
                         int32_t *key_labels, int32_t *self);

/* The queue as arrays of its loss's state; returns how many. classes: of the labels. */
int32_t hni_queue_state(hni_queue *queue, int64_t classes, hni_loss_array *arrays);

/* A zeroed queue is allowed. */
void hni_queue_close(hni_queue *queue);

#endif
