/* checkpoint.h -- what writing and reading a checkpoint share: keys of the metadata, the checksum, the judgement of what the
 * caller gives.                                                                                                          */
#ifndef HNI_CHECKPOINT_H
#define HNI_CHECKPOINT_H

#include "io/checksum.h"

#include <hybridnet/checkpoint.h>

enum { HNI_CHECKPOINT_TEXT = 48 }; /* bytes that any of the library's own values fits into */

/* Keys of the metadata; the caller's begin otherwise. */
#define HNI_CHECKPOINT_OWN "hybridnet."
#define HNI_CHECKPOINT_FORMAT HNI_CHECKPOINT_OWN "checkpoint"
#define HNI_CHECKPOINT_EPOCH HNI_CHECKPOINT_OWN "epoch"
#define HNI_CHECKPOINT_STEP HNI_CHECKPOINT_OWN "step"
#define HNI_CHECKPOINT_FROZEN HNI_CHECKPOINT_OWN "frozen"
#define HNI_CHECKPOINT_FEATURE HNI_CHECKPOINT_OWN "loader.feature"
#define HNI_CHECKPOINT_CLASSIFIER HNI_CHECKPOINT_OWN "loader.classifier"
#define HNI_CHECKPOINT_CHECKSUM HNI_CHECKPOINT_OWN "checksum"

/* The last epoch and step that there may be: 18 digits, as many as a file's name may have. */
#define HNI_CHECKPOINT_MOST INT64_C(999999999999999999)

#define HNI_CHECKPOINT_VERSION "1" /* value of HNI_CHECKPOINT_FORMAT */

/* The checksum is over every entry of the metadata but its own, and then every tensor: name, dtype, extents and the bytes as
 * the file has them; each in the order of the header.                                                                    */
void hni_checkpoint_sum_entry(hni_crc64 *crc, const char *key, const char *value);
void hni_checkpoint_sum_tensor(hni_crc64 *crc, const char *name, const hn_tensor *tensor);
void hni_checkpoint_sum_text(const hni_crc64 *crc, char text[HNI_CHECKPOINT_TEXT]);

/* Reads the caller's struct. HN_E_ARG, HN_E_VERSION. */
hn_status hni_checkpoint_training(hn_training *training, const hn_training *given, const char *function);

#endif
