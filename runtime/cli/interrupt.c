/* interrupt.c: Ctrl-C, and what else the command asks of the system. The first Ctrl-C sets a flag that the library looks at
 * between pieces of work; the second one ends the process as if nobody listened. */
#include <signal.h>

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

void cli_interrupt_begin(void)
{
    if (signal(SIGINT, on_interrupt) == SIG_IGN)
        (void)signal(SIGINT, SIG_IGN); /* a shell's background job: it stays that way */
}

bool cli_interrupted(void)
{
    return cli_interrupt_flag != 0;
}

bool cli_is_terminal(FILE *stream)
{
    return isatty(fileno(stream)) != 0;
}
