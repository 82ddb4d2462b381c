/* command.h: runs the built `oclm` as a user would: arguments, standard input, environment; takes what it prints and
 * how it ends. A process that does not end by the deadline is killed, and the test fails. */
#ifndef OCLM_TESTS_CLI_COMMAND_H
#define OCLM_TESTS_CLI_COMMAND_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/scratch.h"
#include "core/unit.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define DEADLINE_S 240 /* a sanitized build on a busy machine; a test that waits for it has failed */
#define MOST_ARGUMENTS 32

#define STORIES OCLM_SOURCE_DIR "/samples/models/stories"
#define TINY OCLM_SOURCE_DIR "/tests/golden/tiny"

typedef struct gathered {
    char  *data; /* NUL after `length` bytes */
    size_t length, capacity;
    int    end; /* of the pipe; -1: closed */
} gathered;

typedef struct process {
    pid_t         pid;
    int           in; /* -1: closed */
    gathered      out, err;
    bool          ended;
    int           status; /* as a shell tells it: exit status, or 128 + signal */
} process;

/* How a process starts; all zero: /dev/null as input, output gathered. */
typedef struct setting {
    const char *environment;    /* "NAME=VALUE", NULL: as it is here */
    bool        open_input;     /* `in` is a pipe to it */
    int         out;            /* a descriptor to print to instead; 0: gathered. Closed here after the start */
    bool        ignore_sigpipe;
} setting;

static inline double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static inline void make_pipe(int ends[2])
{
    scratch_check(pipe(ends) == 0, "pipe");
    scratch_check(fcntl(ends[0], F_SETFD, FD_CLOEXEC) == 0 && fcntl(ends[1], F_SETFD, FD_CLOEXEC) == 0, "fcntl");
}

static inline void set_variable(const char *pair)
{
    char         name[64];
    const size_t length = strcspn(pair, "=");
    assert_true(length < sizeof name);
    memcpy(name, pair, length);
    name[length] = '\0';
    setenv(name, pair + length + 1, 1);
}

/* `words` end in NULL and begin with what stands after "oclm". */
static inline process process_start(const char *const *words, const setting *how)
{
    static const setting plain;
    process p = { .in = -1 };
    char   *argv[MOST_ARGUMENTS + 2] = { (char[]){ OCLM_COMMAND } };
    int     in[2], out[2], err[2];
    if (!how)
        how = &plain;
    for (size_t i = 0; words[i]; i++) {
        assert_true(i < MOST_ARGUMENTS);
        argv[i + 1] = (char *)(uintptr_t)words[i];
    }
    make_pipe(in);
    make_pipe(out);
    make_pipe(err);
    fflush(NULL);
    p.pid = fork();
    scratch_check(p.pid >= 0, "fork");
    if (p.pid == 0) {
        dup2(how->open_input ? in[0] : open("/dev/null", O_RDONLY), 0);
        dup2(how->out ? how->out : out[1], 1);
        dup2(err[1], 2);
        signal(SIGPIPE, how->ignore_sigpipe ? SIG_IGN : SIG_DFL);
        if (how->environment)
            set_variable(how->environment);
        execv(OCLM_COMMAND, argv);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    close(err[1]);
    if (how->out)
        close(how->out);
    if (how->open_input)
        p.in = in[1];
    else
        close(in[1]);
    p.out.end = out[0];
    p.err.end = err[0];
    return p;
}

static inline void gathered_read(gathered *g)
{
    ssize_t got;
    if (g->capacity - g->length < 65536 + 1) {
        g->capacity = 2 * g->capacity + 65536 + 1;
        scratch_check((g->data = realloc(g->data, g->capacity)) != NULL, "realloc");
    }
    got = read(g->end, g->data + g->length, 65536);
    if (got <= 0) {
        close(g->end);
        g->end = -1;
        got = 0;
    }
    g->length += (size_t)got;
    g->data[g->length] = '\0';
}

/* Waits for output, at most until `deadline`; false once both pipes are closed. */
static inline bool process_pump(process *p, double deadline)
{
    gathered     *streams[] = { &p->out, &p->err };
    struct pollfd ends[] = { { p->out.end, POLLIN, 0 }, { p->err.end, POLLIN, 0 } };
    const double  left = deadline - seconds_now();
    if (p->out.end < 0 && p->err.end < 0)
        return false;
    if (left <= 0) {
        kill(p->pid, SIGKILL);
        fail_msg("the command did not end, or not say what was waited for, within %d s; it printed \"%s\" and \"%s\"", DEADLINE_S,
                 p->out.data ? p->out.data : "", p->err.data ? p->err.data : "");
    }
    if (poll(ends, 2, (int)(1000 * left) + 1) < 0)
        return errno == EINTR;
    for (size_t i = 0; i < 2; i++)
        if (ends[i].fd >= 0 && ends[i].revents)
            gathered_read(streams[i]);
    return true;
}

/* Waits until `stream` holds `text`. */
static inline void process_wait_for(process *p, gathered *stream, const char *text)
{
    const double deadline = seconds_now() + DEADLINE_S;
    while (!stream->data || !strstr(stream->data, text))
        if (!process_pump(p, deadline))
            fail_msg("the command ended without \"%s\"; it printed \"%s\" and \"%s\"", text, p->out.data ? p->out.data : "",
                     p->err.data ? p->err.data : "");
}

/* Writes to its standard input; `last`: and closes it. An early end of the process is no error here. */
static inline void process_write(process *p, const char *text, size_t length, bool last)
{
    void (*const before)(int) = signal(SIGPIPE, SIG_IGN);
    while (length > 0) {
        const ssize_t wrote = write(p->in, text, length);
        if (wrote < 0)
            break;
        text += wrote;
        length -= (size_t)wrote;
    }
    signal(SIGPIPE, before);
    if (last) {
        close(p->in);
        p->in = -1;
    }
}

/* How it ended, if it has. */
static inline bool process_has_ended(process *p, int options)
{
    int status;
    if (!p->ended && waitpid(p->pid, &status, options) == p->pid) {
        p->ended = true;
        p->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }
    return p->ended;
}

/* Takes all it prints and waits for its end. */
static inline void process_finish(process *p)
{
    const double deadline = seconds_now() + DEADLINE_S;
    if (p->in >= 0) {
        close(p->in);
        p->in = -1;
    }
    while (process_pump(p, deadline))
        ;
    assert_true(process_has_ended(p, 0));
    if (!p->out.data)
        p->out.data = exact_copy("", 1);
    if (!p->err.data)
        p->err.data = exact_copy("", 1);
}

static inline void process_free(process *p)
{
    free(p->out.data);
    free(p->err.data);
}

static inline process process_run(const char *const *words)
{
    process p = process_start(words, NULL);
    process_finish(&p);
    return p;
}

#endif
