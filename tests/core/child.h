/* child.h: a part of a test in a process of its own: as a user without rights, under a limit, or as one of several. */
#ifndef OCLM_TESTS_CORE_CHILD_H
#define OCLM_TESTS_CORE_CHILD_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_DEADLINE 60 /* seconds, then SIGALRM ends it */

/* `body` tells by 0 that all is well. It must not use cmocka's assertions: their jump would go on with the other tests. */
static inline pid_t child_start(int (*body)(void *user), void *user, bool without_rights)
{
    fflush(NULL);
    const pid_t child = fork();
    if (child < 0) {
        perror("fork");
        abort();
    }
    if (child > 0)
        return child;
    alarm(CHILD_DEADLINE);
    if (without_rights && geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) { /* no permission binds root */
        perror("setuid");
        _exit(99);
    }
    const int code = body(user);
    fflush(NULL);
    _exit(code);
}

/* Waits. Its exit status; 128 and the signal where one ended it. */
static inline int child_end(pid_t child)
{
    int status = 0;
    if (waitpid(child, &status, 0) != child) {
        perror("waitpid");
        abort();
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + (WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

static inline int child_run(int (*body)(void *user), void *user, bool without_rights)
{
    return child_end(child_start(body, user, without_rights));
}

#endif
