/* chat_session.c: a conversation that goes on in another run of oclm chat: its messages in FILE.json, and what the model has read of them in FILE. */
#include <stdlib.h>
#include <string.h>

#include "cli/history.h"

static bool is_there(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file)
        (void)fclose(file);
    return file != NULL;
}

/* "FILE.json"; free(). NULL after a message. */
static char *messages_path(const char *path)
{
    const size_t length = strlen(path);
    char *made = malloc(length + sizeof ".json");
    if (!made) {
        (void)cli_fail(EXIT_MEMORY, "out of memory for a file's name");
        return NULL;
    }
    memcpy(made, path, length);
    memcpy(made + length, ".json", sizeof ".json");
    return made;
}

int cli_session_open(const cli_args *args, const oclm_model *model, const oclm_tokenizer *tokenizer, uint32_t context, cli_history *history,
                     oclm_session **session)
{
    oclm_session_options options;
    oclm_status status;
    char *messages = NULL;
    bool goes_on = false;
    int result = EXIT_OK;
    oclm_session_options_init(&options, sizeof options);
    options.max_positions = context;
    options.quantized_cache = args->generate.cache_implementation && strcmp(args->generate.cache_implementation, "quantized") == 0;
    options.tokenizer = tokenizer; /* for stop strings */
    if (args->session && !(messages = messages_path(args->session)))
        return EXIT_MEMORY;
    if (messages && is_there(messages)) {
        result = cli_history_load(history, messages);
        goes_on = result == EXIT_OK && is_there(args->session);
    }
    free(messages);
    if (result != EXIT_OK)
        return result;
    status = goes_on ? oclm_session_load(model, args->session, &options, session)
                     : oclm_session_new(model, &options, session);
    return status == OCLM_OK ? EXIT_OK : cli_fail_status(status);
}

int cli_session_save(const cli_args *args, const cli_history *history, oclm_session *session)
{
    oclm_status status;
    char *messages;
    int result;
    if (!args->session)
        return EXIT_OK;
    if ((status = oclm_session_save(session, args->session)) != OCLM_OK)
        return cli_fail_status(status);
    if (!(messages = messages_path(args->session)))
        return EXIT_MEMORY;
    result = cli_history_save(history, messages);
    free(messages);
    return result;
}
