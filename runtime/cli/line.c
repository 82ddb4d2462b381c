/* line.c: lines from a terminal, with editing and history by libedit where it was there to be built with, or from a
 * pipe. While a line is edited Ctrl-C is a key: it drops the line, and ends nothing. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

#if defined(OCLM_LINE_EDITING)
#include <histedit.h>
#define HISTORY_LINES 500
#endif

struct cli_lines {
    bool terminal;
    char *line;
    size_t capacity;
#if defined(OCLM_LINE_EDITING)
    EditLine *edit; /* NULL: plain lines */
    History *history;
    HistEvent event;
    const char *prompt;
    bool interrupted;
#endif
};

#if defined(OCLM_LINE_EDITING)

static char *on_prompt(EditLine *edit)
{
    cli_lines *lines = NULL;
    (void)el_get(edit, EL_CLIENTDATA, &lines);
    return (char *)(uintptr_t)lines->prompt;
}

static unsigned char on_interrupt_key(EditLine *edit, int key)
{
    cli_lines *lines = NULL;
    (void)key;
    (void)el_get(edit, EL_CLIENTDATA, &lines);
    lines->interrupted = true;
    return CC_NEWLINE;
}

static void begin_editing(cli_lines *lines)
{
    if (!(lines->history = history_init()))
        return;
    (void)history(lines->history, &lines->event, H_SETSIZE, HISTORY_LINES);
    if (!(lines->edit = el_init("oclm", stdin, stdout, stderr)))
        return;
    (void)el_set(lines->edit, EL_CLIENTDATA, lines);
    (void)el_set(lines->edit, EL_PROMPT, on_prompt);
    (void)el_set(lines->edit, EL_EDITOR, "emacs");
    (void)el_set(lines->edit, EL_HIST, history, lines->history);
    (void)el_set(lines->edit, EL_SETTY, "-d", "-isig", NULL);
    (void)el_set(lines->edit, EL_ADDFN, "drop-line", "drop the line", on_interrupt_key);
    (void)el_set(lines->edit, EL_BIND, "^C", "drop-line", NULL);
    (void)el_source(lines->edit, NULL); /* the user's ~/.editrc */
}

static void end_editing(cli_lines *lines)
{
    if (lines->edit)
        el_end(lines->edit);
    if (lines->history)
        history_end(lines->history);
}

static cli_line_kind edited(cli_lines *lines, const char *prompt, const char **line)
{
    int count = 0;
    const char *got;
    char *copy;
    lines->prompt = prompt;
    lines->interrupted = false;
    (void)el_set(lines->edit, EL_PREP_TERM, 1); /* before the prompt shows: libedit does so after it, and loses a Ctrl-D typed between */
    got = el_gets(lines->edit, &count);
    if (lines->interrupted) {
        (void)puts("^C");
        return CLI_LINE_INTERRUPTED;
    }
    if (!got || count <= 0)
        return CLI_LINE_END;
    if (got[0] != '\n')
        (void)history(lines->history, &lines->event, H_ENTER, got);
    if (!(copy = realloc(lines->line, (size_t)count + 1)))
        return CLI_LINE_END;
    lines->line = copy;
    memcpy(copy, got, (size_t)count);
    copy[count - (got[count - 1] == '\n')] = '\0';
    *line = copy;
    return CLI_LINE;
}

#endif

cli_lines *cli_lines_begin(void)
{
    cli_lines *lines = calloc(1, sizeof *lines);
    if (!lines) {
        (void)cli_fail(EXIT_MEMORY, "out of memory for reading lines");
        return NULL;
    }
    lines->terminal = cli_is_terminal(stdin) && cli_is_terminal(stdout);
#if defined(OCLM_LINE_EDITING)
    if (lines->terminal)
        begin_editing(lines);
#endif
    return lines;
}

void cli_lines_end(cli_lines *lines)
{
    if (!lines)
        return;
#if defined(OCLM_LINE_EDITING)
    end_editing(lines);
#endif
    free(lines->line);
    free(lines);
}

bool cli_lines_on_terminal(const cli_lines *lines)
{
    return lines->terminal;
}

cli_line_kind cli_lines_next(cli_lines *lines, const char *prompt, const char **line)
{
    size_t length;
#if defined(OCLM_LINE_EDITING)
    if (lines->edit)
        return edited(lines, prompt, line);
#endif
    if (lines->terminal) {
        (void)fputs(prompt, stdout);
        (void)fflush(stdout);
    }
    if (cli_read_line(&lines->line, &lines->capacity, &length) != EXIT_OK || !lines->line)
        return CLI_LINE_END;
    *line = lines->line;
    return CLI_LINE;
}
