/* folder.h: for tests of files: a fresh folder for each test (make_scratch() and remove_scratch() are its setup and teardown), paths in
 * it, and what an error must say of them. */
#ifndef OCLM_TESTS_CORE_FOLDER_H
#define OCLM_TESTS_CORE_FOLDER_H

#include "core/scratch.h"

static char folder[SCRATCH_PATH]; /* a fresh one for each test */

static inline int make_scratch(void **state)
{
    (void)state;
    scratch_make(folder);
    return 0;
}

static inline int remove_scratch(void **state)
{
    (void)state;
    scratch_remove(folder);
    return 0;
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, make_scratch, remove_scratch)

/* scratch_path(), but three at a time. */
static inline char *path_of(const char *name)
{
    static char   paths[3][2 * SCRATCH_PATH];
    static size_t next;
    char *const   path = paths[next++ % COUNT(paths)];
    return strcpy(path, scratch_path(folder, name));
}

static inline void expect(const char *label, oclm_status got, oclm_status want, const char *path, const char *reason)
{
    if (got != want || (want != OCLM_OK && (strstr(oclm_last_error(), path) == NULL || strstr(oclm_last_error(), reason) == NULL)))
        fail_msg("%s: status %d, want %d; \"%s\", want \"%s\" and \"%s\"", label, (int)got, (int)want, oclm_last_error(), path, reason);
}

#endif
