/* download_bar.c: what is being fetched: on a terminal a line for each file under way, drawn again in place; elsewhere a line of text for
 * each file that is there, and now and then for one that takes long. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

#define MAX_FILES 16   /* under way at once; the library has fewer */
#define NAME_WIDTH 32
#define BAR_WIDTH 20
#define DRAW_S 0.1
#define PLAIN_S 10.0   /* between two lines about the same file where there is no terminal */

typedef struct file_state {
    char     name[128];
    uint64_t done, total, first; /* `first`: what an earlier run had left */
    double   begun, told;
} file_state;

static struct {
    bool       enabled, terminal;
    file_state files[MAX_FILES];
    size_t     count;
    int        lines;  /* drawn now, above the cursor */
    double     drawn;
} bars; /* the process's one terminal */

static void clear_lines(void)
{
    if (bars.lines > 0)
        (void)fprintf(stderr, "\033[%dA\033[J", bars.lines);
    bars.lines = 0;
}

static double rate_of(const file_state *f, double now)
{
    return now > f->begun ? (double)(f->done - f->first) / (now - f->begun) : 0;
}

/* "12 s", "3 min", "2 h" */
static const char *duration(double seconds, char buffer[32])
{
    if (seconds < 100)
        (void)snprintf(buffer, 32, "%.0f s", seconds);
    else if (seconds < 6000)
        (void)snprintf(buffer, 32, "%.0f min", seconds / 60);
    else
        (void)snprintf(buffer, 32, "%.0f h", seconds / 3600);
    return buffer;
}

/* The end of a long name tells more than its beginning. */
static const char *short_name(const file_state *f)
{
    const size_t length = strlen(f->name);
    return length > NAME_WIDTH ? f->name + length - NAME_WIDTH : f->name;
}

static void draw_line(const file_state *f, double now)
{
    char         done[32], total[32], rate[32], left[32];
    const double speed = rate_of(f, now);
    const double fraction = f->total > 0 ? (double)f->done / (double)f->total : 1;
    const int    filled = (int)(fraction * BAR_WIDTH);
    (void)fprintf(stderr, "%-*s [%.*s%*s] %3.0f %%  %s of %s  %s/s  %s left\033[K\n", NAME_WIDTH, short_name(f), filled, "####################",
                  BAR_WIDTH - filled, "", 100 * fraction, cli_format_bytes(f->done, done), cli_format_bytes(f->total, total),
                  cli_format_bytes((uint64_t)speed, rate), speed > 0 ? duration((double)(f->total - f->done) / speed, left) : "?");
}

static void draw(double now)
{
    if (!bars.terminal || now - bars.drawn < DRAW_S)
        return;
    clear_lines();
    (void)fputs("\033[?7l", stderr); /* a narrow terminal cuts lines off instead of wrapping them: they stay as many as we count */
    for (size_t i = 0; i < bars.count; i++)
        draw_line(&bars.files[i], now);
    (void)fputs("\033[?7h", stderr);
    bars.lines = (int)bars.count;
    bars.drawn = now;
    (void)fflush(stderr);
}

static file_state *find(const char *name, uint64_t done, double now)
{
    file_state *f;
    for (size_t i = 0; i < bars.count; i++)
        if (strncmp(bars.files[i].name, name, sizeof bars.files[i].name - 1) == 0)
            return &bars.files[i];
    if (bars.count == MAX_FILES)
        return NULL;
    f = &bars.files[bars.count++];
    memset(f, 0, sizeof *f);
    (void)snprintf(f->name, sizeof f->name, "%s", name);
    f->first = done;
    f->begun = f->told = now;
    return f;
}

static void tell_done(file_state *f, double now)
{
    char size[32], rate[32], time[32];
    clear_lines();
    if (now - f->begun >= 1)
        (void)fprintf(stderr, "%s%s: %s, %s/s, %s\n", bars.terminal ? "" : "oclm: ", f->name, cli_format_bytes(f->total, size),
                      cli_format_bytes((uint64_t)rate_of(f, now), rate), duration(now - f->begun, time));
    else
        (void)fprintf(stderr, "%s%s: %s\n", bars.terminal ? "" : "oclm: ", f->name, cli_format_bytes(f->total, size));
    memmove(f, f + 1, (size_t)(bars.files + bars.count - (f + 1)) * sizeof *f);
    bars.count--;
}

static void tell_underway(file_state *f, double now)
{
    char done[32], total[32], rate[32];
    if (bars.terminal || now - f->told < PLAIN_S)
        return;
    (void)fprintf(stderr, "oclm: %s: %s of %s, %s/s\n", f->name, cli_format_bytes(f->done, done), cli_format_bytes(f->total, total),
                  cli_format_bytes((uint64_t)rate_of(f, now), rate));
    f->told = now;
}

bool cli_download_progress(const char *file, uint64_t done, uint64_t total, void *user)
{
    const double now = cli_seconds();
    file_state  *f = file && bars.enabled ? find(file, done, now) : NULL;
    (void)user;
    if (f) {
        f->done = done;
        f->total = total;
        if (f->first > done) { /* it began anew */
            f->first = done;
            f->begun = now;
        }
        if (done >= total && total > 0)
            tell_done(f, now);
        else
            tell_underway(f, now);
        draw(now);
    }
    return !cli_interrupted();
}

void cli_download_begin(const cli_args *args)
{
    memset(&bars, 0, sizeof bars);
    bars.enabled = !args->quiet && !cli_environment_says("HF_HUB_DISABLE_PROGRESS_BARS");
    bars.terminal = bars.enabled && cli_is_terminal(stderr);
}

void cli_download_end(void)
{
    clear_lines();
    bars.enabled = false;
}

void cli_download_clear(void)
{
    clear_lines();
}
