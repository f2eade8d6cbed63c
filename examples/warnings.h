/* warnings.h -- what the library warns of while it goes on, such as an image file that another one stands in for. */
#ifndef WARNINGS_H
#define WARNINGS_H

#include <stdint.h>

struct warnings;

/* NULL after a sentence on stderr. */
struct warnings *warnings_create(void);

/* A hn_log_fn; warnings: its user. Prints a line on stderr, each only once, and from a certain number on none. Any thread. */
void warnings_event(int32_t level, const char *text, void *warnings);

/* NULL is allowed. */
void warnings_destroy(struct warnings *warnings);

#endif
