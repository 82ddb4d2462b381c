/* broken_system.c: preloaded, makes calls what they are on some file systems.
 *   BROKEN_LOCKS=fail    flock() does not exist
 *   BROKEN_LOCKS=lie     flock() gives the lock to everybody
 *   SLOW_SYNC=<seconds>  fsync() of a file of 100,000 bytes or more takes that long, as on a disk that has much to write */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MUCH 100000 /* bytes */

int flock(int file, int operation);

int flock(int file, int operation)
{
    const char *how = getenv("BROKEN_LOCKS");
    (void)file;
    (void)operation;
    if (how && strcmp(how, "fail") == 0) {
        errno = ENOSYS;
        return -1;
    }
    return 0;
}

int fsync(int file)
{
    const char *seconds = getenv("SLOW_SYNC");
    struct stat about;
    if (seconds && fstat(file, &about) == 0 && about.st_size >= MUCH)
        (void)sleep((unsigned)atoi(seconds));
    return 0;
}
