/* scratch.h: a fresh temporary folder for a test, and files in it. */
#ifndef OCLM_TESTS_CORE_SCRATCH_H
#define OCLM_TESTS_CORE_SCRATCH_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SCRATCH_PATH 1024

static inline void scratch_check(int good, const char *what)
{
    if (!good) {
        perror(what);
        abort();
    }
}

static inline void scratch_make(char folder[SCRATCH_PATH])
{
    const char *base = getenv("TMPDIR");
    snprintf(folder, SCRATCH_PATH, "%s/oclm-test-XXXXXX", base != NULL && strlen(base) < 512 ? base : "/tmp");
    scratch_check(mkdtemp(folder) != NULL, folder);
}

/* `folder`/`name`; valid until the next call. */
static inline const char *scratch_path(const char *folder, const char *name)
{
    static char path[2 * SCRATCH_PATH];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static inline void scratch_write(const char *folder, const char *name, const void *data, size_t length)
{
    FILE *file = fopen(scratch_path(folder, name), "wb");
    scratch_check(file != NULL, name);
    scratch_check(fwrite(data, 1, length, file) == length, name);
    scratch_check(fclose(file) == 0, name);
}

static inline void scratch_remove(const char *folder)
{
    DIR *listing = opendir(folder);
    if (listing != NULL) {
        for (const struct dirent *entry; (entry = readdir(listing)) != NULL;) {
            char path[2 * SCRATCH_PATH];
            if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                continue;
            scratch_check((size_t)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) < sizeof path, folder);
            if (unlink(path) != 0)
                scratch_remove(path);
        }
        closedir(listing);
    }
    scratch_check(rmdir(folder) == 0, folder);
}

#endif
