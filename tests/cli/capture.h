/* capture.h: the command's functions print their messages on standard error: takes them for a look. */
#ifndef OCLM_TESTS_CLI_CAPTURE_H
#define OCLM_TESTS_CLI_CAPTURE_H

#include <stdio.h>
#include <unistd.h>

#include "core/scratch.h"
#include "core/unit.h"

#include "cli/cli.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

typedef struct capture {
    int   before;
    FILE *file;
    char  text[4096];
} capture;

static inline void capture_begin(capture *c)
{
    fflush(stderr);
    scratch_check((c->file = tmpfile()) != NULL, "tmpfile");
    scratch_check((c->before = dup(2)) >= 0 && dup2(fileno(c->file), 2) == 2, "dup");
}

/* `c->text`: what was printed since. */
static inline void capture_end(capture *c)
{
    size_t length;
    fflush(stderr);
    scratch_check(dup2(c->before, 2) == 2, "dup2");
    close(c->before);
    rewind(c->file);
    length = fread(c->text, 1, sizeof c->text - 1, c->file);
    c->text[length] = '\0';
    fclose(c->file);
}

/* What standard input holds from now on. */
static inline void feed_stdin(const char *folder, const void *data, size_t length)
{
    scratch_write(folder, "input", data, length);
    scratch_check(freopen(scratch_path(folder, "input"), "rb", stdin) != NULL, "freopen");
}

#endif
