/* chat_input.c: conversations as the command line gives them: files of JSON, and which template. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static bool is_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file)
        (void)fclose(file);
    return file != NULL;
}

/* A NUL would end the text early, unseen. */
static int read_text(const char *path, char **text)
{
    size_t length;
    const int result = !path                    ? EXIT_OK
                       : strcmp(path, "-") == 0 ? cli_read_stdin(text, &length)
                                                : cli_read_file(path, text, &length);
    if (result == EXIT_OK && path && strlen(*text) != length)
        return cli_fail(EXIT_FORMAT, "%s: byte %zu is NUL; a text was expected", path, strlen(*text));
    return result;
}

int cli_chat_check(const cli_args *args)
{
    if (args->chat || !(args->tools || args->documents || args->chat_template || args->chat_variables))
        return EXIT_OK;
    return cli_fail(EXIT_USAGE, "--tools, --documents and --chat-template belong to a conversation: give one with --chat FILE");
}

int cli_chat_read(const cli_args *args, bool prompt, cli_chat *chat)
{
    int result;
    memset(chat, 0, sizeof *chat);
    oclm_chat_options_init(&chat->options, sizeof chat->options);
    if ((result = read_text(args->chat, &chat->messages)) != EXIT_OK ||
        (result = read_text(args->tools, &chat->tools)) != EXIT_OK ||
        (result = read_text(args->documents, &chat->documents)) != EXIT_OK)
        return result;
    if (args->chat_template && is_file(args->chat_template)) {
        if ((result = read_text(args->chat_template, &chat->template)) != EXIT_OK)
            return result;
        chat->options.template_text = chat->template;
    } else {
        chat->options.template_name = args->chat_template;
    }
    chat->options.tools_json = chat->tools;
    chat->options.documents_json = chat->documents;
    chat->options.variables_json = args->chat_variables;
    chat->options.continue_final_message = args->continue_final_message == OCLM_SWITCH_ON;
    prompt = prompt && !chat->options.continue_final_message;
    chat->options.add_generation_prompt =
        args->add_generation_prompt == OCLM_SWITCH_UNSET ? prompt : args->add_generation_prompt == OCLM_SWITCH_ON;
    return EXIT_OK;
}

void cli_chat_free(cli_chat *chat)
{
    free(chat->messages);
    free(chat->tools);
    free(chat->documents);
    free(chat->template);
    memset(chat, 0, sizeof *chat);
}
