/* jsonl.c: one JSON object a line: of such a line, a text or a list of ids.
 *
 * cJSON reads and checks it. A text may hold U+0000, which cJSON's strings end at: in a line with such an escape it is carried
 * through as U+10FFFF, a code point that no text has a use for, and put back afterwards. */
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cli/cli.h"

#define NUL_ESCAPE "\\u0000"
#define STAND_IN_ESCAPE "\\udbff\\udfff"
#define STAND_IN "\xF4\x8F\xBF\xBF"

/* A copy of the line with the escape of U+0000 replaced, if there is `any`; it is at most twice as long. */
static char *replace_nuls(const char *line, size_t length, bool *any)
{
    char  *copy = malloc(2 * length + 1);
    size_t n = 0;
    *any = false;
    for (size_t i = 0; copy && i < length;) {
        const bool   escape = line[i] == '\\' && i + 1 < length;
        const bool   nul = escape && length - i >= 6 && memcmp(line + i, NUL_ESCAPE, 6) == 0;
        const size_t taken = nul ? 6 : escape ? 2 : 1, put = nul ? sizeof STAND_IN_ESCAPE - 1 : taken;
        *any = *any || nul;
        memcpy(copy + n, nul ? STAND_IN_ESCAPE : line + i, put);
        i += taken;
        n += put;
    }
    if (copy)
        copy[n] = '\0';
    return copy;
}

/* Puts U+0000 back; returns the length. */
static size_t restore_nuls(char *text)
{
    char *to = text;
    for (const char *from = text; *from;) {
        if (strncmp(from, STAND_IN, 4) == 0) {
            *to++ = '\0';
            from += 4;
        } else {
            *to++ = *from++;
        }
    }
    return (size_t)(to - text);
}

/* `nuls`: whether the strings in `*tree` hold U+0000's stand-in. */
static int parse(const char *line, size_t length, size_t number, const char *key, cJSON **tree, cJSON **member, bool *nuls)
{
    char *copy;
    *tree = NULL;
    if (memchr(line, '\0', length))
        return cli_fail(EXIT_USAGE, "line %zu of standard input holds a zero byte; JSON writes U+0000 as \\u0000", number);
    if (!(copy = replace_nuls(line, length, nuls)))
        return cli_fail(EXIT_MEMORY, "out of memory for line %zu", number);
    *tree = cJSON_ParseWithOpts(copy, NULL, true);
    free(copy);
    if (*tree && cJSON_IsObject(*tree) && (*member = cJSON_GetObjectItemCaseSensitive(*tree, key)) != NULL)
        return EXIT_OK;
    if (*tree)
        cli_fail(EXIT_USAGE, "line %zu of standard input is no JSON object with \"%s\"", number, key);
    else
        cli_fail(EXIT_USAGE, "line %zu of standard input is no JSON; each line must be an object with \"%s\"", number, key);
    cJSON_Delete(*tree);
    *tree = NULL;
    return EXIT_USAGE;
}

/* Takes the string of a member: `*text` is ours then. */
static void take_string(cJSON *member, bool nuls, char **text, size_t *length)
{
    *text = member->valuestring;
    member->valuestring = NULL;
    *length = nuls ? restore_nuls(*text) : strlen(*text);
}

/* The strings of one member into the texts, or into their pairs. */
static int take_strings(cJSON *member, bool nuls, bool pairs, size_t number, cli_texts *texts)
{
    const char *name = pairs ? "text_pair" : "text";
    cJSON      *item = texts->list ? member->child : member;
    size_t      i = 0;
    for (; item; item = texts->list ? item->next : NULL) {
        char  *text;
        size_t length;
        if (i == texts->count)
            break;
        if (!cJSON_IsString(item))
            return cli_fail(EXIT_USAGE, "line %zu of standard input: \"%s\" is no string%s", number, name, texts->list ? ", nor a list of strings" : "");
        take_string(item, nuls, &text, &length);
        if (pairs) {
            texts->texts[i].pair = text;
            texts->texts[i].pair_length = length;
        } else {
            texts->texts[i].text = text;
            texts->texts[i].length = length;
        }
        i++;
    }
    return i == texts->count && !item ? EXIT_OK
                                      : cli_fail(EXIT_USAGE, "line %zu of standard input: \"text\" and \"text_pair\" are lists of different lengths", number);
}

int cli_jsonl_texts(const char *line, size_t length, size_t number, cli_texts *texts)
{
    cJSON *tree, *member, *pair;
    bool   nuls;
    int    result = parse(line, length, number, "text", &tree, &member, &nuls);
    memset(texts, 0, sizeof *texts);
    if (result != EXIT_OK)
        return result;
    pair = cJSON_GetObjectItemCaseSensitive(tree, "text_pair");
    texts->list = cJSON_IsArray(member);
    texts->pairs = pair && !cJSON_IsNull(pair);
    texts->count = texts->list ? (size_t)cJSON_GetArraySize(member) : 1;
    texts->texts = calloc(texts->count ? texts->count : 1, sizeof *texts->texts);
    if (!texts->texts)
        result = cli_fail(EXIT_MEMORY, "out of memory for the texts of line %zu", number);
    else if (texts->count == 0)
        result = cli_fail(EXIT_USAGE, "line %zu of standard input: the list \"text\" is empty", number);
    else if (texts->pairs && cJSON_IsArray(pair) != texts->list)
        result = cli_fail(EXIT_USAGE, "line %zu of standard input: of \"text\" and \"text_pair\" one is a list", number);
    if (result == EXIT_OK)
        result = take_strings(member, nuls, false, number, texts);
    if (result == EXIT_OK && texts->pairs)
        result = take_strings(pair, nuls, true, number, texts);
    cJSON_Delete(tree);
    if (result != EXIT_OK)
        cli_texts_free(texts);
    return result;
}

void cli_texts_free(cli_texts *texts)
{
    for (size_t i = 0; texts->texts && i < texts->count; i++) {
        free((char *)(uintptr_t)texts->texts[i].text);
        free((char *)(uintptr_t)texts->texts[i].pair);
    }
    free(texts->texts);
    memset(texts, 0, sizeof *texts);
}

int cli_jsonl_ids(const char *line, size_t length, size_t number, int32_t **ids, size_t *count)
{
    cJSON *tree, *member, *item;
    bool   nuls;
    int    result = parse(line, length, number, "ids", &tree, &member, &nuls);
    if (result != EXIT_OK)
        return result;
    *count = 0;
    *ids = malloc(((size_t)cJSON_GetArraySize(member) + 1) * sizeof **ids);
    if (!*ids)
        result = cli_fail(EXIT_MEMORY, "out of memory for the ids of line %zu", number);
    else if (!cJSON_IsArray(member))
        result = cli_fail(EXIT_USAGE, "line %zu of standard input: \"ids\" is no list", number);
    for (item = member->child; item && result == EXIT_OK; item = item->next) {
        if (!cJSON_IsNumber(item) || item->valuedouble < INT32_MIN || item->valuedouble > INT32_MAX ||
            item->valuedouble != (double)(int32_t)item->valuedouble)
            result = cli_fail(EXIT_USAGE, "line %zu of standard input: entry %zu of \"ids\" is no token id", number, *count);
        else
            (*ids)[(*count)++] = (int32_t)item->valuedouble;
    }
    cJSON_Delete(tree);
    if (result != EXIT_OK) {
        free(*ids);
        *ids = NULL;
    }
    return result;
}
