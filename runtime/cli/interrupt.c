/* interrupt.c: Ctrl-C, and what else the command asks of the system. The first Ctrl-C sets a flag that the library looks at
 * between pieces of work; the second one ends the process as if nobody listened. Only downloads, generate and chat listen: they
 * have something to keep. */
#include <signal.h>
#include <string.h>

#if defined(_WIN32)
#include <io.h>
#define isatty _isatty
#define fileno _fileno
#else
#include <unistd.h>
#endif

#include "cli/cli.h"

volatile int cli_interrupt_flag;

static void on_interrupt(int number)
{
    (void)signal(number, SIG_DFL);
    cli_interrupt_flag = 1;
}

#if defined(_WIN32)
void cli_interrupt_begin(void)
{
    (void)signal(SIGINT, on_interrupt);
}
#else
/* A shell's background job: it stays that way. Blocked too, in all threads that come: compilers inside drivers (LLVM) listen even where the signal
 * is ignored, and remove the files that they are writing. */
static void go_on_ignoring(const struct sigaction *ignored)
{
    sigset_t interrupt;
    (void)sigaction(SIGINT, ignored, NULL);
    (void)sigemptyset(&interrupt);
    (void)sigaddset(&interrupt, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &interrupt, NULL);
}

/* A write to a full pipe goes on afterwards (SA_RESTART): what was made shall arrive whole. */
void cli_interrupt_begin(void)
{
    struct sigaction action, before;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_interrupt;
    action.sa_flags = SA_RESTART;
    (void)sigemptyset(&action.sa_mask);
    if (sigaction(SIGINT, &action, &before) == 0 && before.sa_handler == SIG_IGN)
        go_on_ignoring(&before);
}
#endif

void cli_interrupt_reset(void)
{
    cli_interrupt_flag = 0;
    cli_interrupt_begin();
}

void cli_interrupt_end(void)
{
    void (*const before)(int) = signal(SIGINT, SIG_DFL);
    if (before == SIG_IGN)
        (void)signal(SIGINT, SIG_IGN);
}

bool cli_interrupted(void)
{
    return cli_interrupt_flag != 0;
}

bool cli_is_terminal(FILE *stream)
{
    return isatty(fileno(stream)) != 0;
}
