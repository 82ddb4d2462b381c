/* unpack.h: for tests: packed data (tar, xz) in a temporary folder that is removed at the end. */
#ifndef TESTS_TOKENIZER_UNPACK_H
#define TESTS_TOKENIZER_UNPACK_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/platform.h"

#define TEST_DATA OCLM_SOURCE_DIR "/tests/tokenizer/data"
#define SHARED_DATA OCLM_SHARED_DATA "/data/tokenizers"

static char unpack_folder[] = "/tmp/oclm-test-XXXXXX";
static bool unpack_ready;

static bool run_shell(const char *format, const char *a, const char *b, const char *c)
{
    char command[4096];
    int  length = snprintf(command, sizeof command, format, a, b, c);
    return length > 0 && (size_t)length < sizeof command && system(command) == 0;
}

/* False where tar or xz are missing: the tests then skip. */
static bool unpack_begin(void)
{
    unpack_ready = mkdtemp(unpack_folder) != NULL && run_shell("command -v xz >/dev/null && command -v tar >/dev/null", "", "", "");
    return unpack_ready;
}

static void unpack_end(void)
{
    (void)run_shell("rm -rf '%s'%s%s", unpack_folder, "", "");
}

/* Unpacks NAME.tar.xz of `from`: its folder NAME is then in the temporary folder. */
static inline bool unpack_tar(const char *from, const char *name)
{
    return unpack_ready && run_shell("xz -dc '%s/%s.tar.xz' | tar -xf - -C '%s'", from, name, unpack_folder);
}

/* The text of a file, unpacked if its name ends in .xz; core_free(). */
static inline char *unpack_text(const char *path, size_t *length)
{
    char        plain[256];
    char       *text = NULL;
    const char *program = strlen(path) > 3 && strcmp(path + strlen(path) - 3, ".xz") == 0 ? "xz -dc" : "cat";
    (void)snprintf(plain, sizeof plain, "%s/plain", unpack_folder);
    if (!unpack_ready || !run_shell("%s '%s' > '%s'", program, path, plain) ||
        core_read_file(plain, (size_t)64 << 20, &text, length) != OCLM_OK)
        return NULL;
    return text;
}

#endif
