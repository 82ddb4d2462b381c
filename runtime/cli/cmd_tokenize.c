/* cmd_tokenize.c: oclm tokenize: text to ids. */
#include <stdlib.h>

#include "cli/cli.h"

static void print_people(const oclm_tokenizer *tokenizer, const int32_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *token = oclm_tokenizer_token(tokenizer, ids[i]);
        (void)printf("%7ld  %s\n", (long)ids[i], token ? token : "");
    }
}

/* `text`: of a conversation; NULL: none. */
static void print_json(const oclm_tokenizer *tokenizer, const char *text, size_t length, const int32_t *ids, size_t count)
{
    cli_json json = cli_json_begin(stdout);
    cli_json_open(&json, NULL, '{');
    if (text)
        cli_json_string(&json, "text", text, length);
    cli_json_ids(&json, "ids", ids, count);
    cli_json_open(&json, "tokens", '[');
    for (size_t i = 0; i < count; i++)
        cli_json_text(&json, NULL, oclm_tokenizer_token(tokenizer, ids[i]));
    cli_json_close(&json, ']');
    cli_json_close(&json, '}');
    cli_json_end(&json);
}

/* One line of text in, one of ids out. Flushed by line, so that a program can ask and wait for each answer. */
static int tokenize_lines(const cli_args *args, const oclm_tokenizer *tokenizer)
{
    char  *line = NULL;
    size_t capacity = 0, length;
    int    result;
    for (size_t number = 1; (result = cli_read_line(&line, &capacity, &length)) == EXIT_OK && line; number++) {
        if ((result = cli_tokenize_line(args, tokenizer, line, length, number)) != EXIT_OK)
            break;
        (void)fflush(stdout);
    }
    free(line);
    return result;
}

static int tokenize_text(const cli_args *args, const oclm_tokenizer *tokenizer)
{
    char       *text;
    int32_t    *ids;
    size_t      length, count;
    oclm_status status;
    int         result;
    result = args->file ? cli_read_file(args->file, &text, &length) : cli_read_text(args->text, &text, &length);
    if (result != EXIT_OK)
        return result;
    if (cli_wants_batch(args)) {
        result = cli_tokenize_pair(args, tokenizer, text, length);
        free(text);
        return result;
    }
    status = oclm_tokenizer_encode(tokenizer, text, length, !args->no_special_tokens, &ids, &count);
    free(text);
    if (status != OCLM_OK)
        return cli_fail_status(status);
    if (args->json)
        print_json(tokenizer, NULL, 0, ids, count);
    else
        print_people(tokenizer, ids, count);
    oclm_free(ids);
    return EXIT_OK;
}

/* The prompt of a conversation: its text on a terminal, followed by its tokens; all in JSON. */
static int tokenize_chat(const cli_args *args, const oclm_tokenizer *tokenizer)
{
    cli_chat    chat;
    char       *text = NULL;
    int32_t    *ids = NULL;
    size_t      length = 0, count = 0;
    oclm_status status = OCLM_OK;
    int         result = cli_chat_read(args, false, &chat);
    if (result == EXIT_OK && (status = oclm_chat_render(tokenizer, chat.messages, &chat.options, &text, &length)) == OCLM_OK)
        status = oclm_tokenizer_encode(tokenizer, text, length, false, &ids, &count);
    if (status != OCLM_OK)
        result = cli_fail_status(status);
    if (result == EXIT_OK && args->json) {
        print_json(tokenizer, text, length, ids, count);
    } else if (result == EXIT_OK) {
        (void)fwrite(text, 1, length, stdout);
        (void)puts("\n");
        print_people(tokenizer, ids, count);
    }
    oclm_free(text);
    oclm_free(ids);
    cli_chat_free(&chat);
    return result;
}

int cmd_tokenize(cli_args *args)
{
    oclm_tokenizer *tokenizer;
    int             result;
    if (args->chat && (args->text || args->file || args->text_pair || args->jsonl))
        return cli_fail(EXIT_USAGE, "--chat takes the place of a text: give neither a text nor --jsonl with it");
    if ((result = cli_chat_check(args)) != EXIT_OK)
        return result;
    if (args->jsonl && (args->text || args->file || args->text_pair || args->json))
        return cli_fail(EXIT_USAGE, "--jsonl reads standard input and writes lines: give neither a text nor --json with it");
    if (args->text && args->file)
        return cli_fail(EXIT_USAGE, "both a text and --file are given; choose one");
    if (!args->jsonl && !args->text && !args->file && !args->chat)
        return cli_fail(EXIT_USAGE, "no text: give one, - for standard input, --file FILE, --jsonl, or --chat FILE");
    if ((result = cli_load_tokenizer(args, false, &tokenizer)) != EXIT_OK)
        return result;
    result = args->chat ? tokenize_chat(args, tokenizer) : args->jsonl ? tokenize_lines(args, tokenizer) : tokenize_text(args, tokenizer);
    oclm_tokenizer_free(tokenizer);
    return result;
}
