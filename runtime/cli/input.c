/* input.c: what the command is given to work on: texts, ids, standard input. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

#define READ_STEP ((size_t)64 << 10)

/* Doubles until `need` fits. */
static bool grow(char **memory, size_t *capacity, size_t need)
{
    size_t wanted = *capacity ? *capacity : 256;
    char  *moved;
    while (wanted < need) {
        if (wanted > SIZE_MAX / 2)
            return false;
        wanted *= 2;
    }
    if (wanted == *capacity)
        return true;
    if (!(moved = realloc(*memory, wanted)))
        return false;
    *memory = moved;
    *capacity = wanted;
    return true;
}

int cli_parse_ids(const char *name, const char *text, int32_t **ids, size_t *count)
{
    static const char between[] = ", \t\r\n[]";
    size_t      room = 1;
    const char *p = text;
    for (const char *c = text; *c; c++) /* no more ids than things that may stand between them, plus one */
        room += strchr(between, *c) != NULL;
    *count = 0;
    if (!(*ids = malloc(room * sizeof **ids)))
        return cli_fail(EXIT_MEMORY, "out of memory for %zu ids", room);
    for (p += strspn(p, between); *p; p += strspn(p, between)) {
        char *end;
        long  id;
        errno = 0;
        id = strtol(p, &end, 10);
        if (end == p || errno || id < INT32_MIN || id > INT32_MAX || (*end && !strchr(between, *end))) {
            size_t shown = strcspn(p, between);
            for (shown = shown < 40 ? shown : 40; (p[shown] & 0xC0) == 0x80;) /* whole characters */
                shown--;
            free(*ids);
            *ids = NULL;
            return cli_fail(EXIT_USAGE, "--%s: \"%.*s\" is no token id; give numbers with commas between them, as 1,2,3", name,
                            (int)shown, p);
        }
        (*ids)[(*count)++] = (int32_t)id;
        p = end;
    }
    return EXIT_OK;
}

static int read_all(FILE *from, const char *name, char **text, size_t *length)
{
    size_t capacity = 0, used = 0, got;
    *text = NULL;
    *length = 0;
    do {
        if (!grow(text, &capacity, used + READ_STEP + 1)) {
            free(*text);
            *text = NULL;
            return cli_fail(EXIT_MEMORY, "out of memory after %zu bytes of %s", used, name);
        }
        got = fread(*text + used, 1, READ_STEP, from);
        used += got;
    } while (got > 0);
    if (ferror(from)) {
        free(*text);
        *text = NULL;
        return cli_fail(EXIT_OTHER, "reading %s failed: %s", name, strerror(errno));
    }
    (*text)[used] = '\0';
    *length = used;
    return EXIT_OK;
}

int cli_read_stdin(char **text, size_t *length)
{
    return read_all(stdin, "standard input", text, length);
}

int cli_read_file(const char *path, char **text, size_t *length)
{
    FILE *file = fopen(path, "rb");
    *text = NULL;
    *length = 0;
    if (!file)
        return cli_fail(EXIT_NOT_FOUND, "%s: %s", path, strerror(errno));
    const int result = read_all(file, path, text, length);
    (void)fclose(file);
    return result;
}

int cli_read_text(const char *argument, char **text, size_t *length)
{
    if (strcmp(argument, "-") == 0)
        return cli_read_stdin(text, length);
    *length = strlen(argument);
    if (!(*text = malloc(*length + 1)))
        return cli_fail(EXIT_MEMORY, "out of memory for a text of %zu bytes", *length);
    memcpy(*text, argument, *length + 1);
    return EXIT_OK;
}

/* Ids of the library's memory into ours, so that a caller frees one kind. */
int cli_encode(const oclm_tokenizer *tokenizer, const char *text, size_t length, bool special, int32_t **ids, size_t *count)
{
    int32_t          *found;
    const oclm_status status = oclm_tokenizer_encode(tokenizer, text, length, special, &found, count);
    if (status != OCLM_OK)
        return cli_fail_status(status);
    *ids = malloc((*count ? *count : 1) * sizeof **ids);
    if (*ids)
        memcpy(*ids, found, *count * sizeof **ids);
    oclm_free(found);
    return *ids ? EXIT_OK : cli_fail(EXIT_MEMORY, "out of memory for %zu ids", *count);
}

int cli_check_prompt(const cli_args *args)
{
    const int given = (args->text != NULL) + (args->input_ids != NULL) + (args->chat != NULL);
    if (args->prompts && given > 0)
        return cli_fail(EXIT_USAGE, "both --prompts and a prompt are given; choose one");
    if (args->chat && given > 1)
        return cli_fail(EXIT_USAGE, "both --chat and a prompt are given; choose one");
    if (args->chat)
        return EXIT_OK;
    if (cli_chat_check(args) != EXIT_OK)
        return EXIT_USAGE;
    if (args->prompts)
        return EXIT_OK;
    if (args->text && args->input_ids)
        return cli_fail(EXIT_USAGE, "both a text and --input-ids are given; choose one");
    if (!args->text && !args->input_ids)
        return cli_fail(EXIT_USAGE, "no prompt: give a text, - for standard input, or --input-ids 1,2,3");
    return EXIT_OK;
}

static int read_chat(const cli_args *args, const oclm_tokenizer *tokenizer, int32_t **ids, size_t *count)
{
    cli_chat    chat;
    char       *text;
    size_t      length;
    oclm_status status;
    int         result = cli_chat_read(args, true, &chat);
    if (result == EXIT_OK && (status = oclm_chat_render(tokenizer, chat.messages, &chat.options, &text, &length)) != OCLM_OK)
        result = cli_fail_status(status);
    else if (result == EXIT_OK) {
        result = cli_encode(tokenizer, text, length, false, ids, count);
        oclm_free(text);
    }
    cli_chat_free(&chat);
    return result;
}

int cli_read_prompt(const cli_args *args, const oclm_tokenizer *tokenizer, int32_t **ids, size_t *count)
{
    char  *text;
    size_t length;
    int    result = cli_check_prompt(args);
    *ids = NULL;
    *count = 0;
    if (result != EXIT_OK)
        return result;
    if (args->input_ids) {
        if (strcmp(args->input_ids, "-") != 0)
            return cli_parse_ids("input-ids", args->input_ids, ids, count);
        if ((result = cli_read_stdin(&text, &length)) != EXIT_OK)
            return result;
        result = cli_parse_ids("input-ids", text, ids, count);
        free(text);
        return result;
    }
    if (args->chat)
        return read_chat(args, tokenizer, ids, count);
    if ((result = cli_read_text(args->text, &text, &length)) != EXIT_OK)
        return result;
    result = cli_encode(tokenizer, text, length, !args->no_special_tokens, ids, count);
    free(text);
    return result;
}

int cli_read_line(char **line, size_t *capacity, size_t *length)
{
    int c;
    *length = 0;
    while ((c = getc(stdin)) != EOF && c != '\n') {
        if (!grow(line, capacity, *length + 2))
            return cli_fail(EXIT_MEMORY, "out of memory after %zu bytes of one line", *length);
        (*line)[(*length)++] = (char)c;
    }
    if (ferror(stdin))
        return cli_fail(EXIT_OTHER, "reading standard input failed: %s", strerror(errno));
    if (c == EOF && *length == 0) {
        free(*line);
        *line = NULL;
        *capacity = 0;
        return EXIT_OK;
    }
    if (!grow(line, capacity, *length + 1))
        return cli_fail(EXIT_MEMORY, "out of memory for a line");
    (*line)[*length] = '\0';
    return EXIT_OK;
}
