/* log_check.h -- whether an event of a log has the types that train_hybrid writes. */
#ifndef LOG_CHECK_H
#define LOG_CHECK_H

#include <jansson.h>

/* Checks the keys that the page uses; what is missing or null is fine. 0; 1 for an event that the page does not use,
 * whatever it holds; -1 after a sentence on stderr that names path and line.                                         */
int log_check(const json_t *event, const char *path, long line);

#endif
