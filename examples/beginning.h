/* beginning.h -- whether a file may be written over, by how it begins. */
#ifndef BEGINNING_H
#define BEGINNING_H

#include <stdbool.h>

/* Whether a regular file is there, not empty, that does not begin so, upper and lower case aside: somebody's, and named by
 * mistake.                                                                                                             */
bool begins_otherwise(const char *path, const char *beginning);

#endif
