/* interrupt.c: Ctrl-C, and what else the command asks of the system. The first Ctrl-C sets a flag that the library looks at
 * between pieces of work; the second one ends the process as if nobody listened. Only downloads, generate, quantize and chat listen: they
 * have something to keep. */
#include <signal.h>

#if defined(_WIN32)
#include <io.h>
#define isatty _isatty
#define fileno _fileno
#else
#include <pthread.h>
#include <unistd.h>
#endif

#include "cli/cli.h"

volatile int cli_interrupt_flag;

#if defined(_WIN32)
static void on_interrupt(int number)
{
    (void)signal(number, SIG_DFL);
    cli_interrupt_flag = 1;
}

void cli_interrupt_begin(void) { (void)signal(SIGINT, on_interrupt); }

void cli_interrupt_end(void) { (void)signal(SIGINT, SIG_DFL); }
#else
/* A thread waits for the signal, which all others block: compilers inside drivers (LLVM) install handlers of their own, also where it is ignored, which
 * remove the files that they are writing. So this begins before a device is opened. */
static _Atomic bool listening;

static sigset_t interrupt_alone(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    return set;
}

static void end_process(const sigset_t *set)
{
    (void)signal(SIGINT, SIG_DFL);
    (void)pthread_sigmask(SIG_UNBLOCK, set, NULL);
    (void)raise(SIGINT);
}

static void *wait_for_interrupts(void *unused)
{
    const sigset_t set = interrupt_alone();
    for (int number; sigwait(&set, &number) == 0;) {
        if (!listening || cli_interrupt_flag != 0)
            end_process(&set);
        cli_interrupt_flag = 1;
    }
    return unused;
}

/* A shell's background job ignores the signal, and stays that way. */
void cli_interrupt_begin(void)
{
    static bool      waiting;
    const sigset_t   set = interrupt_alone();
    struct sigaction before;
    pthread_t        thread;
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (!waiting && sigaction(SIGINT, NULL, &before) == 0 && before.sa_handler == SIG_IGN)
        return;
    listening = true;
    if (!waiting && pthread_create(&thread, NULL, wait_for_interrupts, NULL) == 0)
        waiting = pthread_detach(thread) == 0;
    if (!waiting) /* then Ctrl-C ends the process at once */
        (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void cli_interrupt_end(void) { listening = false; }
#endif

void cli_interrupt_reset(void)
{
    cli_interrupt_flag = 0;
    cli_interrupt_begin();
}

bool cli_interrupted(void)
{
    return cli_interrupt_flag != 0;
}

bool cli_is_terminal(FILE *stream)
{
    return isatty(fileno(stream)) != 0;
}
