/* beginning.c: files are told by their first bytes; what cannot be read is not known to be ours. */
#include "beginning.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

bool begins_otherwise(const char *path, const char *beginning)
{
    char read[64] = "";
    const size_t wanted = strlen(beginning) < sizeof read ? strlen(beginning) : sizeof read;
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size == 0)
        return false;
    FILE *file = fopen(path, "rb");
    const size_t size = file == NULL ? 0 : fread(read, 1, wanted, file);
    if (file != NULL)
        (void)fclose(file);
    return size < wanted || strncasecmp(read, beginning, wanted) != 0;
}
