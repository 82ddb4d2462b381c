/* broken_locks.c: preloaded, makes flock() what it is on some file systems. BROKEN_LOCKS=fail: it does not exist; lie: everybody gets it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int flock(int file, int operation);

int flock(int file, int operation)
{
    const char *how = getenv("BROKEN_LOCKS");
    (void)file;
    (void)operation;
    if (how && strcmp(how, "lie") == 0)
        return 0;
    errno = ENOSYS;
    return -1;
}
