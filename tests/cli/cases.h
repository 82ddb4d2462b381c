/* cases.h: a command line as a test writes it, and what is expected of it.
 *
 *   "generate @stories 'Once upon a time' -n 4"     @stories, @tiny/NAME and @here (a scratch folder) become paths
 *
 * Every failure must print one message, which begins with "oclm: ", and nothing on standard output. */
#ifndef OCLM_TESTS_CLI_CASES_H
#define OCLM_TESTS_CLI_CASES_H

#include <cjson/cJSON.h>

#include "cli/command.h"

static char here[SCRATCH_PATH]; /* what @here stands for */

typedef struct command_case {
    const char *label, *line;
    int         status;
    const char *says;         /* parts of what it prints, "|" between them: on standard output, or of a failure's message */
    const char *environment;  /* "NAME=VALUE", or NULL */
} command_case;

typedef struct words {
    const char *list[MOST_ARGUMENTS + 1];
    char        text[4096];
} words;

static inline char *expand(char *to, const char *end, const char *from, size_t length)
{
    static const struct { const char *name; const char *path; } places[] = { { "@stories", STORIES }, { "@tiny", TINY }, { "@here", here } };
    for (size_t i = 0; i < COUNT(places); i++) {
        const size_t n = strlen(places[i].name);
        if (length >= n && memcmp(from, places[i].name, n) == 0) {
            assert_true((size_t)(end - to) > strlen(places[i].path) + length);
            to += sprintf(to, "%s", places[i].path);
            from += n;
            length -= n;
        }
    }
    assert_true((size_t)(end - to) > length);
    memcpy(to, from, length);
    to[length] = '\0';
    return to + length + 1;
}

/* Spaces part words; 'quotes' keep them together. */
static inline void split_line(const char *line, words *w)
{
    size_t count = 0;
    char  *to = w->text;
    for (const char *p = line + strspn(line, " "); *p; p += strspn(p, " ")) {
        const bool   quoted = *p == '\'';
        const size_t length = quoted ? strcspn(p + 1, "'") : strcspn(p, " ");
        assert_true(count < MOST_ARGUMENTS);
        w->list[count++] = to;
        to = expand(to, w->text + sizeof w->text, p + quoted, length);
        p += length + (quoted ? 2 : 0);
    }
    w->list[count] = NULL;
}

static inline process run_line(const char *line)
{
    words w;
    split_line(line, &w);
    return process_run(w.list);
}

static inline bool holds_all(const char *text, const char *parts)
{
    char part[512];
    for (const char *p = parts; *p;) {
        const size_t length = strcspn(p, "|");
        assert_true(length < sizeof part);
        memcpy(part, p, length);
        part[length] = '\0';
        if (!strstr(text, part))
            return false;
        p += length + (p[length] == '|');
    }
    return true;
}

/* Lines on standard error that are no warning. */
static inline size_t count_messages(const char *text)
{
    size_t count = 0;
    for (const char *p = text; *p; p++)
        if (p == text || p[-1] == '\n')
            count += strncmp(p, "oclm: warning: ", 15) != 0;
    return count;
}

static inline void check_case(const command_case *c)
{
    words         w;
    const setting how = { .environment = c->environment };
    process       p;
    bool          good;
    split_line(c->line, &w);
    p = process_start(w.list, &how);
    process_finish(&p);
    good = p.status == c->status && holds_all(c->status == 0 ? p.out.data : p.err.data, c->says);
    if (c->status != 0)
        good = good && p.out.length == 0 && count_messages(p.err.data) == 1 && holds_all(p.err.data, "oclm: |\n");
    if (!good)
        fail_msg("%s: oclm %s\n  ended with %d, want %d and \"%s\"\n  standard output: \"%.2000s\"\n  standard error: \"%.4000s\"", c->label,
                 c->line, p.status, c->status, c->says, p.out.data, p.err.data);
    process_free(&p);
}

static inline void check_cases(const command_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_case(&cases[i]);
}

/* ---- JSON */

/* `text` as exactly one JSON object on one line; free with cJSON_Delete(). */
static inline cJSON *only_object(const char *line, const char *text)
{
    const char *end = NULL;
    cJSON      *tree = cJSON_ParseWithOpts(text, &end, false);
    if (!cJSON_IsObject(tree) || strcmp(end, "\n") != 0 || strchr(text, '\n') != end)
        fail_msg("oclm %s: standard output is not one JSON object and a line end: \"%.2000s\"", line, text);
    return tree;
}

/* "sequences.0.output_ids" */
static inline const cJSON *at_path(const cJSON *tree, const char *path)
{
    char part[128];
    while (tree && *path) {
        const size_t length = strcspn(path, ".");
        assert_true(length < sizeof part);
        memcpy(part, path, length);
        part[length] = '\0';
        tree = cJSON_IsArray(tree) ? cJSON_GetArrayItem(tree, atoi(part)) : cJSON_GetObjectItemCaseSensitive(tree, part);
        path += length + (path[length] == '.');
    }
    return tree;
}

/* Runs a line that must succeed and print one object. */
static inline cJSON *run_json(const char *line)
{
    process p = run_line(line);
    cJSON  *tree;
    if (p.status != 0)
        fail_msg("oclm %s: ended with %d: %s", line, p.status, p.err.data);
    tree = only_object(line, p.out.data);
    process_free(&p);
    return tree;
}

#endif
