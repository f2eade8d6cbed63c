/* A ring of batches. The workers share out the images of one batch, then those of the next; the caller collects batches in
 * order. What a batch holds depends on its number alone: indices are drawn under the lock in order, augmentation streams
 * are derived from epoch, position and view.                                                                            */
#include "data/loader.h"

#include "base/error.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

/* Some images of a slot, [first, first + count). */
typedef struct task {
    hni_slot *slot;
    int64_t first, count;
    hn_status status;
    int64_t failed; /* where it failed */
    char sentence[HNI_LOADER_SENTENCE];
} task;

static void advance(hn_loader *l)
{
    l->prepare = (l->prepare + 1) % l->slot_count;
}

/* Draws the indices of the next batch into a slot; with the lock held. */
static void open_slot(hn_loader *l, hni_slot *s)
{
    int64_t length = hn_sampler_epoch_length(l->sampler), got = 0;
    s->epoch = l->take_epoch;
    s->first = l->take_batch * l->options.batch;
    s->n = length - s->first < l->options.batch ? length - s->first : l->options.batch;
    s->taken = s->done = 0;
    atomic_store_explicit(&s->skipped, 0, memory_order_relaxed);
    s->failed = s->n;
    s->images.desc.dim[0] = s->n * l->options.views;
    s->status = hn_sampler_seek(l->sampler, s->epoch, s->first);
    if (s->status == HN_OK)
        s->status = hn_sampler_next(l->sampler, s->index, s->n, &got);
    if (s->status == HN_OK && got != s->n)
        s->status = hni_fail(HN_E_INTERNAL, "hn_loader_next: the sampler gave %" PRId64 " of %" PRId64, got, s->n);
    if (s->status < 0)
        (void)snprintf(s->sentence, sizeof s->sentence, "%s", hn_last_error());
    s->state = s->status < 0 ? HNI_SLOT_READY : HNI_SLOT_OPEN;
    if (++l->take_batch == l->batches) {
        l->take_batch = 0;
        l->take_epoch++;
    }
}

/* Takes the next images, opening the next slot if it is free and nobody asked to wait; with the lock held. */
static bool take(hn_loader *l, task *t)
{
    int64_t held = (l->next + l->slot_count - 1) % l->slot_count;
    for (;;) {
        hni_slot *s = &l->slots[l->prepare];
        bool given_out = s->state == HNI_SLOT_READY || (s->state == HNI_SLOT_OPEN && s->taken == s->n);
        if (l->paused || given_out || (l->holding && l->prepare == held))
            return false;
        if (s->state == HNI_SLOT_FREE) {
            open_slot(l, s);
            pthread_cond_broadcast(&l->changed); /* for those who wait for its images, or for its failure */
        }
        if (s->state == HNI_SLOT_READY) {
            advance(l);
            continue;
        }
        int64_t left = s->n - s->taken;
        t->slot = s;
        t->first = s->taken;
        t->count = left < l->share ? left : l->share;
        t->status = HN_OK;
        s->taken += t->count;
        if (s->taken == s->n)
            advance(l);
        return true;
    }
}

/* Makes the images of a task; without the lock. */
static void make(hn_loader *l, hni_maker *m, task *t)
{
    for (int64_t i = t->first; i < t->first + t->count && t->status == HN_OK; ++i) {
        t->status = hni_loader_make(l, m, t->slot, i);
        if (t->status < 0) {
            t->failed = i;
            (void)snprintf(t->sentence, sizeof t->sentence, "%s", hn_last_error());
        }
    }
}

/* Counts a task's images; of failures, the first image's is kept, and the slot's other images are not made: all before it
 * have been given out. With the lock held.                                                                              */
static void finish(hn_loader *l, const task *t)
{
    hni_slot *s = t->slot;
    s->done += t->count;
    if (t->status < 0) {
        if (t->failed < s->failed) {
            s->status = t->status;
            s->failed = t->failed;
            (void)snprintf(s->sentence, sizeof s->sentence, "%s", t->sentence);
        }
        if (s->taken < s->n) {
            s->done += s->n - s->taken;
            s->taken = s->n;
            advance(l);
        }
    }
    if (s->done == s->n) {
        s->state = HNI_SLOT_READY;
        pthread_cond_broadcast(&l->changed);
    }
}

static void *work(void *arg)
{
    hn_loader *l = arg;
    task t;
    pthread_mutex_lock(&l->lock);
    hni_maker *m = &l->makers[l->workers++];
    pthread_cond_broadcast(&l->changed);
    while (!l->stopping) {
        if (!take(l, &t)) {
            pthread_cond_wait(&l->changed, &l->lock);
            continue;
        }
        l->busy++;
        pthread_mutex_unlock(&l->lock);
        make(l, m, &t);
        pthread_mutex_lock(&l->lock);
        finish(l, &t);
        if (--l->busy == 0)
            pthread_cond_broadcast(&l->changed);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

void hni_loader_reset(hn_loader *l, int64_t epoch, int64_t batch)
{
    l->paused = true;
    while (l->busy > 0)
        pthread_cond_wait(&l->changed, &l->lock);
    for (int64_t i = 0; i < l->slot_count; ++i)
        l->slots[i].state = HNI_SLOT_FREE;
    l->prepare = l->next;
    l->take_epoch = l->give_epoch = epoch;
    l->take_batch = l->give_batch = batch;
    if (batch == l->batches) { /* an epoch's end, of which the caller is still to be told */
        l->take_epoch++;
        l->take_batch = 0;
    }
    l->paused = false;
    pthread_cond_broadcast(&l->changed);
}

hni_slot *hni_loader_collect(hn_loader *l)
{
    hni_slot *s = &l->slots[l->next];
    task t;
    while (s->state != HNI_SLOT_READY) {
        if (l->options.workers > 0) {
            pthread_cond_wait(&l->changed, &l->lock);
        } else if (take(l, &t)) {
            make(l, &l->makers[0], &t);
            finish(l, &t);
        }
    }
    return s;
}

/* Workers take no signals, so that a program's handlers run on its own threads, and touch the sampler only once all of
 * them have started: until then it may go back to the caller.                                                           */
hn_status hni_loader_start(hn_loader *l)
{
    sigset_t all, before;
    int32_t started = 0;
    (void)sigfillset(&all);
    int error = pthread_sigmask(SIG_BLOCK, &all, &before);
    bool masked = error == 0;
    while (error == 0 && started < l->options.workers) {
        error = pthread_create(&l->threads[started], NULL, work, l);
        started += error == 0;
    }
    if (masked)
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_mutex_lock(&l->lock);
    while (l->workers < started) /* each has its maker by then */
        pthread_cond_wait(&l->changed, &l->lock);
    l->paused = error != 0;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
    HNI_FAIL_IF(error != 0, HN_E_STATE, "hn_loader_create: worker thread %d could not be started (error %d)",
                (int)started, error);
    return HN_OK;
}

void hni_loader_stop(hn_loader *l)
{
    pthread_mutex_lock(&l->lock);
    l->stopping = true;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
    for (int32_t i = 0; i < l->workers; ++i)
        (void)pthread_join(l->threads[i], NULL);
}
