/* history.c: a conversation's messages: added, saved, loaded. */
#include "cli/history.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int no_memory(void)
{
    return cli_fail(EXIT_MEMORY, "out of memory for the conversation");
}

void cli_history_free(cli_history *history)
{
    cJSON_Delete(history->messages);
    history->messages = NULL;
}

int cli_history_reset(cli_history *history, const char *system)
{
    cJSON *fresh = cJSON_CreateArray();
    cJSON *before = history->messages;
    int result;
    if (!fresh)
        return no_memory();
    history->messages = fresh;
    result = system && *system ? cli_history_add(history, "system", system) : EXIT_OK;
    cJSON_Delete(before); /* `system` may stand in it */
    return result;
}

int cli_history_add(cli_history *history, const char *role, const char *content)
{
    cJSON *message = cJSON_CreateObject();
    if (!message || !cJSON_AddStringToObject(message, "role", role) ||
        !cJSON_AddStringToObject(message, "content", content) || !cJSON_AddItemToArray(history->messages, message)) {
        cJSON_Delete(message);
        return no_memory();
    }
    return EXIT_OK;
}

void cli_history_drop(cli_history *history)
{
    const int count = cJSON_GetArraySize(history->messages);
    if (count > 0)
        cJSON_DeleteItemFromArray(history->messages, count - 1);
}

static const char *member(const cJSON *message, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(message, name));
    return text ? text : "";
}

const char *cli_history_last_role(const cli_history *history)
{
    return member(cJSON_GetArrayItem(history->messages, cJSON_GetArraySize(history->messages) - 1), "role");
}

const char *cli_history_system(const cli_history *history)
{
    const cJSON *first = cJSON_GetArrayItem(history->messages, 0);
    return strcmp(member(first, "role"), "system") == 0 ? member(first, "content") : NULL;
}

size_t cli_history_count(const cli_history *history)
{
    return (size_t)cJSON_GetArraySize(history->messages);
}

int cli_history_json(const cli_history *history, char **json)
{
    return (*json = cJSON_PrintUnformatted(history->messages)) ? EXIT_OK : no_memory();
}

/* Beside it first, then over it: what was saved before is lost only to something whole. */
static int write_over(const char *path, const char *text)
{
    char  beside[4096];
    FILE *file;
    bool  good;
    if (snprintf(beside, sizeof beside, "%s.part", path) >= (int)sizeof beside)
        return cli_fail(EXIT_OTHER, "cannot write %s: the name is too long", path);
    if (!(file = fopen(beside, "wb")))
        return cli_fail(EXIT_OTHER, "cannot write %s: %s", path, strerror(errno));
    good = fputs(text, file) >= 0 && fputc('\n', file) != EOF;
    good = fclose(file) == 0 && good;
    if (good && rename(beside, path) == 0)
        return EXIT_OK;
    const int error = errno;
    (void)remove(beside);
    return cli_fail(EXIT_OTHER, "writing %s failed: %s", path, strerror(error));
}

int cli_history_save(const cli_history *history, const char *path)
{
    char *text = cJSON_Print(history->messages);
    if (!text)
        return no_memory();
    const int result = write_over(path, text);
    free(text);
    return result;
}

/* What is wrong with a list of messages; NULL: nothing. */
static const char *fault_of(const cJSON *messages)
{
    const cJSON *message;
    if (!cJSON_IsArray(messages))
        return "it is no JSON list of messages";
    cJSON_ArrayForEach(message, messages)
    {
        if (!cJSON_IsObject(message) || !*member(message, "role"))
            return "one of its messages is no object with a \"role\"";
    }
    return NULL;
}

int cli_history_load(cli_history *history, const char *path)
{
    char *text;
    size_t length;
    cJSON *messages;
    const char *fault;
    const int result = cli_read_file(path, &text, &length);
    if (result != EXIT_OK)
        return result;
    messages = cJSON_ParseWithLength(text, length);
    free(text);
    if ((fault = fault_of(messages))) {
        cJSON_Delete(messages);
        return cli_fail(EXIT_FORMAT,
                        "%s: %s; it should be as /save writes it: [{\"role\": \"user\", \"content\": \"...\"}, ...]",
                        path, fault);
    }
    cJSON_Delete(history->messages);
    history->messages = messages;
    return EXIT_OK;
}
