#include "loss/queue.h"

#include "base/error.h"
#include "base/memory.h"
#include "kernel/rownorm.h"
#include "loss/common.h"

#include <math.h>
#include <string.h>

static size_t bytes_of_rows(const hni_queue *q)
{
    return (size_t)(q->capacity * q->dim) * sizeof *q->x;
}

static size_t bytes_of_labels(const hni_queue *q)
{
    return (size_t)q->capacity * sizeof *q->labels;
}

hn_status hni_queue_open(hni_queue *queue, hn_context *context, int64_t capacity, int64_t dim, const char *function)
{
    *queue = (hni_queue){0};
    HNI_TRY(hni_loss_check_extents(capacity, dim, function, "the queue"));
    hni_queue q = {.context = context, .capacity = capacity, .dim = dim};
    q.x = hni_alloc_zero(context, bytes_of_rows(&q)); /* what is not filled yet goes to files too */
    q.labels = hni_alloc_zero(context, bytes_of_labels(&q));
    if (q.x == NULL || q.labels == NULL) {
        const size_t wanted = bytes_of_rows(&q) + bytes_of_labels(&q);
        hni_queue_close(&q);
        return hni_no_memory(function, wanted);
    }
    *queue = q;
    return HN_OK;
}

void hni_queue_push(hni_queue *queue, const hn_cmatf *x, const int32_t *labels, int32_t normalize)
{
    for (int64_t i = 0; queue->capacity > 0 && i < x->rows; ++i) {
        const float *from = x->data + i * x->ld;
        if (labels[i] < 0 || !isfinite(hni_dot(queue->dim, from, from)))
            continue;
        float *to = queue->x + queue->next * queue->dim;
        if (normalize)
            (void)hni_rownorm_row(queue->dim, from, to);
        else
            memcpy(to, from, (size_t)queue->dim * sizeof *to);
        queue->labels[queue->next] = labels[i];
        queue->next = (queue->next + 1) % queue->capacity;
        queue->count += queue->count < queue->capacity;
    }
}

int64_t hni_queue_gather(const hni_queue *queue, const hn_cmatf *batch, const int32_t *labels, float *keys,
                         int32_t *key_labels, int32_t *self)
{
    const int64_t dim = batch->cols;
    int64_t m = 0;
    for (int64_t i = 0; i < batch->rows; ++i) {
        self[i] = labels[i] < 0 ? -1 : (int32_t)m;
        if (labels[i] < 0)
            continue;
        memcpy(keys + m * dim, batch->data + i * batch->ld, (size_t)dim * sizeof *keys);
        key_labels[m++] = labels[i];
    }
    if (queue->count > 0) {
        memcpy(keys + m * dim, queue->x, (size_t)(queue->count * dim) * sizeof *keys);
        memcpy(key_labels + m, queue->labels, (size_t)queue->count * sizeof *key_labels);
    }
    return m;
}

int32_t hni_queue_state(hni_queue *queue, int64_t classes, hni_loss_array *arrays)
{
    const int64_t capacity = queue->capacity;
    arrays[0] = hni_loss_floats("queue", queue->x, capacity, queue->dim);
    arrays[1] = (hni_loss_array){"queue_labels", queue->labels, {HN_I32, 1, {capacity}}, 0, classes - 1};
    arrays[2] = hni_loss_integer("queue_count", &queue->count, 0, capacity);
    arrays[3] = hni_loss_integer("queue_next", &queue->next, 0, capacity > 0 ? capacity - 1 : 0);
    return 4;
}

void hni_queue_close(hni_queue *queue)
{
    if (queue->context == NULL)
        return;
    hni_release(queue->context, queue->x, bytes_of_rows(queue));
    hni_release(queue->context, queue->labels, bytes_of_labels(queue));
    *queue = (hni_queue){0};
}
