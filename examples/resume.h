/* resume.h -- the options of a training that goes on: those it was begun with, from its latest checkpoint. */
#ifndef RESUME_H
#define RESUME_H

#include "options.h"

/* Looks into the directory of asked->checkpoint. *text: the options of its latest checkpoint as recipe lines, for the caller to
 * free, or NULL where there is no checkpoint yet; *log: what the log had at that moment. Checkpoints that are there
 * and not asked for (no asked->resume) are refused: they would outlive the new training's. 0, -1 for such usage, -2 for files
 * that cannot be used; both after a sentence on stderr.                                                                   */
int resume_look(const struct options *asked, char **text, struct log_part *log);

/* Whether options may go on a training that was begun with others: 0, or -1 after a sentence on stderr that names the first
 * one that would change what is learnt.                                                                                  */
int resume_check(const struct option_row *rows, size_t count, const struct options *begun, const struct options *asked);

#endif
