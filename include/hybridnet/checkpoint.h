/* checkpoint.h -- a training in a file, from which it goes on as if it had never stopped: with the same bits, on any number of
 * threads, in the middle of an epoch too.
 *
 * A checkpoint is a safetensors file, DIRECTORY/checkpoint-EEEEEEEE-SSSSSSSS.safetensors (epoch and step), with
 *  - parameters and buffers under the names of hybrid.h (hn_hybrid_load takes them out of it, if not strict),
 *  - the momentum of each parameter as "optimizer.momentum.NAME",
 *  - the state of the losses as "loss.feature.NAME", "loss.classifier.NAME": queues, centroids, statistics, counters,
 *  - in its metadata, under keys "hybridnet....": version of the format, epoch, step, the loaders' places, whether the
 *    backbone is frozen, a CRC-64 of all that is in the file; and what the caller wants kept (options, best epoch).
 * A file is written beside its place, synced, renamed and its directory synced; older ones are removed only then. One training
 * a directory, at a time.
 *
 * Not in it, to be the same when training goes on: how network, losses and loaders were made (their options and seeds, the
 * dataset), the class weights that hn_loss_set_class_weights has set, and the state of layers of the caller's own.         */
#ifndef HYBRIDNET_CHECKPOINT_H
#define HYBRIDNET_CHECKPOINT_H

#include <hybridnet/hybrid.h>
#include <hybridnet/safetensors.h>

/* An open checkpoint, read into memory and found intact. Any number of threads may read it. */
typedef struct hn_checkpoint hn_checkpoint;

/* A training as it stands. The objects are borrowed. */
typedef struct hn_training {
    size_t struct_size;
    hn_hybrid *hybrid;
    hn_loader *feature, *classifier; /* whose places are kept; NULL: none                                          */
    int64_t epoch;                   /* from 0                                                                     */
    int64_t step;                    /* steps done of it. Where it is 0, hn_loss_begin_epoch has not yet been called for
                                        this epoch, and is to be when training goes on; else it is not            */
} hn_training;

HN_BEGIN_DECLS

/* Writes a checkpoint, between two steps, and then removes from the directory the oldest of those not later than this one
 * beyond the `keep` newest (0: all stay), and what writers that were killed have left. Later ones (of a training that was not
 * gone on with) stay. What cannot be removed is a warning in the context's log, and nothing is while the directory
 * cannot be synced.
 *   directory  must be there
 *   metadata   [count], text to be kept; keys must not begin with "hybridnet." nor be format, producer or version
 * HN_E_NONFINITE where a parameter or buffer is not finite: a training that has diverged does not push out checkpoints from
 * before. HN_E_IO (with errno's text: disk full, not writable), HN_E_ARG, HN_E_NOMEM, HN_E_UNSUPPORTED (a build without
 * jansson). On failure the directory holds the checkpoints that it held.                                                  */
HN_API HN_MUST_CHECK hn_status hn_checkpoint_save(const hn_training *training, const char *directory, int64_t keep,
                                                  const hn_metadata *metadata, int64_t count);

/* Opens the latest checkpoint (by epoch and step) of a directory that is whole and intact. Those that are not are passed
 * over, each with a warning in the context's log. *out is the caller's to close. HN_END: there is none, or no such directory
 * (*out is untouched). HN_E_FORMAT or HN_E_IO: there are some, and none is whole; the sentence tells of the latest.
 * HN_E_VERSION (the latest whole one is in a format of a newer library), HN_E_ARG, HN_E_NOMEM, HN_E_UNSUPPORTED.          */
HN_API HN_MUST_CHECK hn_status hn_checkpoint_open(hn_checkpoint **out, hn_context *context, const char *directory);

/* Where training stood: as in hn_training. -1 for NULL. */
HN_API int64_t hn_checkpoint_epoch(const hn_checkpoint *checkpoint);
/* See hn_checkpoint_epoch. */
HN_API int64_t hn_checkpoint_step(const hn_checkpoint *checkpoint);
/* The metadata value of a key, borrowed; NULL if there is none. */
HN_API const char *hn_checkpoint_metadata(const hn_checkpoint *checkpoint, const char *key);

/* Brings a training, made with the same options, to where the checkpoint's stood: everything in hn_training but the pointers
 * is set. Everything is checked before the first value is: on failure nothing has changed. HN_E_FORMAT names what the file
 * lacks, has beyond, or has in another shape or out of range; HN_E_ARG, HN_E_NOMEM.                                        */
HN_API HN_MUST_CHECK hn_status hn_checkpoint_restore(const hn_checkpoint *checkpoint, hn_training *training);

/* NULL is allowed. */
HN_API void hn_checkpoint_close(hn_checkpoint *checkpoint);

HN_END_DECLS
#endif
